// SPDX-License-Identifier: Apache-2.0
// `dwell memory`: one look at what the memory of a process consists of.
#pragma once

#include "userspace/record/look_command.h"

namespace dwell {

LookCommand memory_look_command();

}  // namespace dwell
