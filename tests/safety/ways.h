// SPDX-License-Identifier: Apache-2.0
// The ways in which a program is run: alone, and under each of dwell's commands.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/safety/programs.h"

namespace dwell::testing {

struct Way {
  const char* name;
  std::vector<std::string> command;  // of dwell, up to its target; empty: alone
  bool launches;                     // `-- COMMAND`; else `-p PID`, and the program must be gated
  bool killed = false;               // dwell is killed after a while
};
std::vector<Way> ways();

struct Outcome {
  std::string output;
  int exit;
};
// Runs the program that way; `wait` is how long dwell lives where it is killed. What went wrong beside the
// program's own outcome is a failure of the test.
Outcome run_program(const SafetyProgram& program, const Way& way, std::chrono::milliseconds wait = {});

}  // namespace dwell::testing
