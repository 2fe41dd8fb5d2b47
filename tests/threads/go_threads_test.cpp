// SPDX-License-Identifier: Apache-2.0
// Threads of Go programs: their stacks lead through assembly that keeps no frame pointers, from the
// scheduler's stacks to the goroutines' own, and from C to Go.
#include <gmock/gmock.h>

#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

using nlohmann::json;

// Each thread ends where Go's stacks do. Without names, as in a stripped position-independent program, only
// that it is complete is asked.
void expect_complete(const json& report, bool named) {
  EXPECT_GE(report["threads"].size(), 3u);
  for (const json& group : report["groups"]) {
    const json& stack = group["stack"];
    bool moved = report["threads"][group["threads"][0].get<std::size_t>()]["moved"];
    EXPECT_TRUE(stack["incomplete"].is_null() || moved) << stack;
    if (!named || moved || stack["frames"].empty()) continue;
    EXPECT_THAT(stack["frames"].back()["function"].get<std::string>(),
                ::testing::AnyOf("runtime.mcall", "runtime.mstart", "runtime.goexit"))
        << stack;
  }
}

class GoThreadsOf : public ::testing::TestWithParam<const char*> {};

TEST_P(GoThreadsOf, AreCompleteToTheirRoots) {
  DWELL_NEEDS_BPF();
  std::string name = GetParam();
  Program target({target_binary("go/" + name)});
  ASSERT_TRUE(target.wait_for_output("ready")) << target.describe();
  expect_complete(look_at(target.pid()).report, name != "stuck_pie");
}

INSTANTIATE_TEST_SUITE_P(Programs, GoThreadsOf,
                         ::testing::Values("stuck", "stuck_stripped", "stuck_pie", "waits"),
                         [](const auto& program) { return std::string(program.param); });

// The leaf is a function of the C library; what called C stands on another stack.
TEST(GoThreads, ThatAreInCHaveTheGoroutineBelow) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("go/calls_c")});
  ASSERT_TRUE(target.wait_for_output("ready")) << target.describe();
  json report;
  ASSERT_TRUE(eventually([&] {
    report = look_at(target.pid()).report;
    return threads_named(report, "calls_c")[0]["wait"] == "input";
  }));
  expect_complete(report, true);
  json in_c;
  for (const json& thread : report["threads"])
    if (thread["wait"] == "input") in_c = thread;
  ASSERT_FALSE(in_c.is_null());
  std::vector<std::string> functions = functions_of(report, in_c);
  EXPECT_THAT(functions.front(), ::testing::HasSubstr("read"));
  std::vector<std::string> known;
  for (const std::string& function : functions)
    for (const char* wanted : {"runtime.asmcgocall", "main.waitInC", "main.grow", "main.waitInGo", "runtime.cgocallback", "crosscall2", "main.main",
                               "runtime.goexit"})
      if (function == wanted) known.push_back(function);
  EXPECT_THAT(known, ::testing::ElementsAre("runtime.asmcgocall", "main.waitInC", "main.grow", "main.grow", "main.grow", "main.grow",
                                            "main.waitInGo", "runtime.cgocallback", "crosscall2", "runtime.asmcgocall", "main.main",
                                            "runtime.goexit"));
}

}  // namespace
}  // namespace dwell::testing
