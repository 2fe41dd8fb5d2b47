// SPDX-License-Identifier: Apache-2.0
// Small profiles that the tests of all output formats share.
#pragma once

#include <initializer_list>
#include <string>

#include "userspace/views/profile.h"

namespace dwell {

// Builds a Profile stack by stack. A frame is "function", "function@file:12", or "inlined+caller" for
// an inlined call and the function that holds it; "module!" before it names the module.
class ProfileBuilder {
 public:
  ProfileBuilder(std::initializer_list<ProfileValueType> types);
  ProfileBuilder& stack(std::initializer_list<std::string> root_first, std::vector<std::int64_t> values);
  Profile profile;

 private:
  std::uint32_t location(const std::string& text);
  std::int32_t mapping(const std::string& path);
};

// Retained memory of a small server: inlined frames, C++ names, an unknown frame, several modules.
Profile server_profile();

// What grew and shrank between two recordings.
Profile difference_profile();

// Names as an attacker would choose them.
Profile hostile_profile();

}  // namespace dwell
