// SPDX-License-Identifier: Apache-2.0
// Programs that are stuck, and what `dwell threads` says of them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {

// stuck_threads, stuck_locks or stuck_cxx_locks in one of its scenarios, with all its threads where they will
// stay.
class StuckThreads {
 public:
  explicit StuckThreads(const std::string& scenario, const std::string& program = "stuck_threads");
  pid_t pid() const { return program_.pid(); }
  const std::string& output() const { return program_.output(); }
  Program& program() { return program_; }

 private:
  Program program_;
};

struct LookedAt {
  int exit;
  nlohmann::json report;
};
// `dwell threads --json`.
LookedAt look_at(pid_t pid, const std::vector<std::string>& options = {});

// The threads of this name.
std::vector<nlohmann::json> threads_named(const nlohmann::json& report, const std::string& name);
// The functions of a thread's stack, leaf first.
std::vector<std::string> functions_of(const nlohmann::json& report, const nlohmann::json& thread);
bool stands_in(const nlohmann::json& report, const nlohmann::json& thread, const std::string& function);

}  // namespace dwell::testing
