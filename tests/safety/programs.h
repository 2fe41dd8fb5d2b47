// SPDX-License-Identifier: Apache-2.0
// The programs that must come out the same whether dwell looks at them or not: one row each, with what they
// print and how they end.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace dwell::testing {

struct SafetyProgram {
  std::string name;                      // for test names and messages
  std::vector<std::string> command;      // [0]: below tests/targets, or a path
  std::string output;                    // all of its standard output
  int exit = 0;                          // or 128 and its signal
  std::vector<std::string> environment;  // "NAME=value"
  bool gated = true;                     // knows DWELL_CASE_GATE and DWELL_CASE_MS: tests/targets/safety/cases.h
};
inline std::ostream& operator<<(std::ostream& out, const SafetyProgram& program) { return out << program.name; }

// Those that can run here: what a missing compiler or library takes away is not among them.
std::vector<SafetyProgram> safety_programs();

}  // namespace dwell::testing
