// SPDX-License-Identifier: Apache-2.0
// Any Profile as text: its call sites, largest first, with every figure that it has of them. And as JSON.
#pragma once

#include <cstddef>
#include <string>

#include "ui/text_style.h"
#include "userspace/views/profile.h"

namespace dwell {

struct ProfileTextOptions {
  TextStyle style;
  std::size_t sites = 20;
  bool signed_values = false;  // a difference: "+" before growth
};

// Stacks that read the same are one row. Kinds (label "kind") are never added up: each has a table of its own.
std::string profile_text(const Profile& profile, const ProfileTextOptions& options);

// {"title", "sample_types", "sites": [{"kind", "values": {type: value}, "stack": [frames]}]}, every stack.
std::string profile_json(const Profile& profile);

}  // namespace dwell
