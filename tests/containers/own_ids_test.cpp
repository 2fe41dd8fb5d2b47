// SPDX-License-Identifier: Apache-2.0
// What a program names by the ids of its own PID namespace, told by dwell's: locks that another process
// holds, and children that are waited for.
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/containers/placed.h"
#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class OwnIds : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

pid_t child_of(pid_t parent) {
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    pid_t child = 0;
    if (std::ifstream(thread.path() / "children") >> child) return child;
  }
  return 0;
}

json look_from(const Viewer& viewer, pid_t pid) {
  Finished look = run(viewer.command({"threads", "--json", "-p", std::to_string(pid)}));
  EXPECT_EQ(look.errors, "");
  return json::parse(look.output, nullptr, false);
}

TEST_F(OwnIds, OfTheParentThatKeptALock) {
  Placed target({"new=pid,mount", "proc", "init"}, {target_binary("stuck_locks"), "forked_locked"});
  pid_t child = child_of(target.pid());
  json outside;
  ASSERT_TRUE(eventually([&] {
    outside = look_from({}, child);
    return !outside["verdicts"].empty();
  }));
  EXPECT_THAT(outside["verdicts"][0]["headline"].get<std::string>(),
              HasSubstr(fmt::format("of the parent process {}:", target.pid())));
  // As the parent's /proc has it: one thread stayed behind, and it is the one that holds the lock.
  json parent = look_from({}, target.pid());
  EXPECT_THAT(outside["verdicts"][0]["headline"].get<std::string>(),
              HasSubstr(fmt::format("thread {} of the parent",
                                    threads_named(parent, "holder")[0]["tid"].get<int>())));
}

TEST_F(OwnIds, OfAnotherProcessThatSharesALock) {
  Placed target({"new=pid,mount", "proc", "init"}, {target_binary("stuck_locks"), "shared_elsewhere"});
  pid_t child = child_of(target.pid());
  json outside = look_from({}, target.pid());
  EXPECT_THAT(outside["locks"].dump(),
              HasSubstr(fmt::format("thread {0} of process {0}, which shares it", child)));
  json inside = look_from({target.pid()}, target.pid_at(-1));
  std::ifstream status("/proc/" + std::to_string(child) + "/status");
  std::string text{std::istreambuf_iterator<char>(status), {}};
  pid_t own = std::atoi(text.c_str() + text.find('\t', text.find("\nNSpid:") + 8));
  EXPECT_THAT(inside["locks"].dump(),
              HasSubstr(fmt::format("thread {0} of process {0}, which shares it", own)));
}

TEST_F(OwnIds, OfAChildThatIsWaitedFor) {
  Placed target({"new=pid,mount", "proc", "init"}, {target_binary("stuck_threads"), "waits"});
  json report = look_from({}, target.pid());
  json waiter = threads_named(report, "in_wait").at(0);
  EXPECT_THAT(waiter["waits_for"].get<std::string>(),
              HasSubstr(fmt::format("the end of child {} (", child_of(target.pid()))));
  EXPECT_THAT(waiter["waits_for"].get<std::string>(), HasSubstr(" in its own PID namespace)"));
}

}  // namespace
}  // namespace dwell::testing
