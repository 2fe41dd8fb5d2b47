// SPDX-License-Identifier: Apache-2.0
// Folded stacks: one line a stack, "root;caller;leaf value", for grep, diff and other flame graph tools.
#pragma once

#include <cstddef>
#include <string>

#include "userspace/views/profile.h"

namespace dwell {

// Stacks that read the same are summed, stacks of value 0 left out, lines sorted.
std::string folded(const Profile& profile, std::size_t sample_type);

}  // namespace dwell
