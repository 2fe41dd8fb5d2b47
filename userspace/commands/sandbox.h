// SPDX-License-Identifier: Apache-2.0
// For commands that read recordings, which may come from anywhere: what they do not need is given up before the first
// byte is read.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct Sandbox {
  std::vector<std::string> inputs;
  std::string output;                 // "": standard output
  std::vector<std::string> readable;  // folders besides
};

// No capabilities but those that it takes to open the inputs, no new privileges, no file but those named (Landlock).
// True, or what is missing of that on this kernel: said with -v, and no error.
Result<bool> enter(const Sandbox& sandbox);

}  // namespace dwell
