// SPDX-License-Identifier: Apache-2.0
// Which builds of a target a test runs on: those of the installed Go, and more, by other versions, that an environment variable
// names ("a:b:c").
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {

inline std::vector<std::string> builds_of(std::initializer_list<const char*> names, const char* variable) {
  std::vector<std::string> builds;
  for (const char* name : names) builds.push_back(target_binary(std::string("go/") + name));
  if (const char* more = std::getenv(variable))
    for (std::string_view path : split(more, ':')) builds.emplace_back(path);
  return builds;
}

// The file's name, as the name of a test.
inline std::string name_of_build(const ::testing::TestParamInfo<std::string>& build) {
  std::string name = build.param.substr(build.param.rfind('/') + 1);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

}  // namespace dwell::testing
