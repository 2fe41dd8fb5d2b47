// SPDX-License-Identifier: Apache-2.0
// The difference of two profiles, stack by stack as they read: indices, addresses and load order do not matter.
#pragma once

#include <cstdint>

#include "userspace/views/profile.h"

namespace dwell {

// `after` less `before`. Both have the same sample types. Samples that did not change are left out, and those whose last
// value changed by less than `least`.
// Where a module's build differs between the two, its lines have moved: functions are compared by name alone.
Profile profile_difference(const Profile& before, const Profile& after, std::uint64_t least = 0);

}  // namespace dwell
