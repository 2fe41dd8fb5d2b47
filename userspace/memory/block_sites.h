// SPDX-License-Identifier: Apache-2.0
// What a recording of memory knows of single blocks, for other subjects.
#pragma once

#include "userspace/views/block_sites.h"

namespace dwell {

const BlockSites& recorded_block_sites();

}  // namespace dwell
