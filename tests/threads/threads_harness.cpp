// SPDX-License-Identifier: Apache-2.0
#include "tests/threads/threads_harness.h"

#include <algorithm>

namespace dwell::testing {

StuckThreads::StuckThreads(const std::string& scenario, const std::string& program)
    : program_({target_binary(program), scenario}) {
  EXPECT_TRUE(program_.wait_for_output("ready")) << program_.describe() << program_.errors();
}

LookedAt look_at(pid_t pid, const std::vector<std::string>& options) {
  std::vector<std::string> command = {dwell_binary(), "threads", "-p", std::to_string(pid), "--json"};
  command.insert(command.end(), options.begin(), options.end());
  Finished finished = run(command);
  EXPECT_EQ(finished.errors, "");
  return {finished.exit, nlohmann::json::parse(finished.output, nullptr, false)};
}

std::vector<nlohmann::json> threads_named(const nlohmann::json& report, const std::string& name) {
  std::vector<nlohmann::json> found;
  for (const nlohmann::json& thread : report["threads"])
    if (thread["name"] == name) found.push_back(thread);
  return found;
}

std::vector<std::string> functions_of(const nlohmann::json& report, const nlohmann::json& thread) {
  std::vector<std::string> functions;
  const nlohmann::json& stack = report["groups"][thread["group"].get<std::size_t>()]["stack"];
  EXPECT_TRUE(stack["incomplete"].is_null()) << stack["incomplete"];
  for (const nlohmann::json& frame : stack["frames"]) functions.push_back(frame["function"]);
  return functions;
}

bool stands_in(const nlohmann::json& report, const nlohmann::json& thread, const std::string& function) {
  return std::ranges::count(functions_of(report, thread), function) == 1;
}

}  // namespace dwell::testing
