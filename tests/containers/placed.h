// SPDX-License-Identifier: Apache-2.0
// Programs in other surroundings than the test's own, and dwell in theirs.
#pragma once

#include <string>
#include <vector>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {

using Words = std::vector<std::string>;

// The command line that runs `command` in surroundings that place.cpp makes of `options`.
Words placed(const Words& options, const Words& command);

// A program of ours that says "ready", in its place.
class Placed {
 public:
  Placed(const Words& options, const Words& command);
  Program& program() { return program_; }
  // As the test sees it.
  pid_t pid() const { return chain_.back(); }
  // As those see it that are `levels` PID namespaces below the test; -1: as it sees itself.
  pid_t pid_at(int levels) const;
  // As the test sees them: the processes from the first one to the program itself, each the child of the one
  // before.
  const std::vector<pid_t>& chain() const { return chain_; }

 private:
  Program program_;
  std::vector<pid_t> chain_;
};

// From where dwell looks: the namespaces and the root of that process; 0: the test's own.
struct Viewer {
  pid_t beside = 0;
  Words place = {};  // besides
  Words command(const Words& dwell_arguments) const;
};

// `dwell record` of a program from there, between attach and stop().
class RecordingFrom {
 public:
  RecordingFrom(const Viewer& viewer, const Words& arguments);
  bool attached() { return program_.wait_for_error("recording "); }
  // Ctrl-C, and waits; the report.
  nlohmann::json stop();
  Program& program() { return program_; }
  std::string file() const { return folder_.file("r.dwell"); }

 private:
  TemporaryFolder folder_;
  Program program_;
};

}  // namespace dwell::testing
