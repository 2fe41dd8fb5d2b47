// SPDX-License-Identifier: Apache-2.0
// Pairs as a subject of recordings: what functions of the user's own take and give back.
#pragma once

#include "userspace/record/subject.h"

namespace dwell {

Subject pairs_subject();

}  // namespace dwell
