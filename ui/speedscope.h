// SPDX-License-Identifier: Apache-2.0
// speedscope: every sample type of a Profile as one JSON file for the speedscope viewer.
#pragma once

#include <string>

#include "userspace/views/profile.h"

namespace dwell {

// The viewer knows no negative weights: of a difference only what grew is written, and the name says so.
std::string speedscope(const Profile& profile);

}  // namespace dwell
