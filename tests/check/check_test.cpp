// SPDX-License-Identifier: Apache-2.0
// `dwell PID`: names what is wrong with a process, and is silent where nothing is.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/targets/descriptors.h"

namespace dwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Checked {
  int exit;
  nlohmann::json findings;
  std::string text;
};

Checked check(pid_t pid) {
  Finished json = run({dwell_binary(), std::to_string(pid), "--json"});
  Finished text = run({dwell_binary(), "check", std::to_string(pid)});
  EXPECT_EQ(json.exit, text.exit) << json.errors << text.errors;
  nlohmann::json parsed = nlohmann::json::parse(json.output, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << json.output << json.errors;
  return {json.exit, parsed.is_discarded() ? nlohmann::json::array() : parsed["findings"], text.output};
}

TEST(Check, ADeadlockComesFirstAndIsProved) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("stuck_locks"), "ab_ba"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked;
  ASSERT_TRUE(eventually([&] { return (checked = check(program.pid())).exit == 8; })) << checked.text;
  ASSERT_FALSE(checked.findings.empty());
  EXPECT_EQ(checked.findings[0]["weight"], "stuck");
  EXPECT_EQ(checked.findings[0]["proved"], true);
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr("2 threads wait for each other"));
  EXPECT_THAT(checked.text, AllOf(HasSubstr("1  deadlock (certain)"), HasSubstr("dwell threads " + std::to_string(program.pid()))));
}

TEST(Check, DescriptorsNearTheirLimit) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("descriptors"), "near-limit"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked = check(program.pid());
  EXPECT_EQ(checked.exit, 0) << "a limit that is near proves nothing";
  ASSERT_EQ(checked.findings.size(), 1u) << checked.text;
  EXPECT_EQ(checked.findings[0]["weight"], "limit");
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr("of " + std::to_string(DESCRIPTORS_LIMIT) + " file descriptors are open"));
}

TEST(Check, ConnectionsThatOnlyTheOtherSideHasClosed) {
  DWELL_NEEDS_BPF();
  Program left({target_binary("descriptors"), "left"}), closed({target_binary("descriptors"), "closed"});
  ASSERT_TRUE(left.wait_for_output("ready"));
  ASSERT_TRUE(closed.wait_for_output("ready"));
  Checked checked = check(left.pid());
  ASSERT_EQ(checked.findings.size(), 1u) << checked.text;
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr(std::to_string(DESCRIPTORS_LEFT) + " TCP connections"));
  EXPECT_TRUE(check(closed.pid()).findings.empty());
}

#ifdef DWELL_HAS_GO
TEST(Check, GoroutinesThatCanNeverWake) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("go/leaks"), "receiver"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked = check(program.pid());
  EXPECT_EQ(checked.exit, 8) << checked.text;
  ASSERT_FALSE(checked.findings.empty());
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr("can never wake"));
  EXPECT_THAT(checked.findings[0]["command"].get<std::string>(), HasSubstr("dwell go"));
}
#endif

TEST(Check, NothingIsWrongWithAProgramThatWaitsForItsInput) {
  DWELL_NEEDS_BPF();
  Program program({"cat"});
  Checked checked = check(program.pid());
  EXPECT_EQ(checked.exit, 0);
  EXPECT_TRUE(checked.findings.empty()) << checked.text;
  EXPECT_THAT(checked.text, AllOf(HasSubstr("Nothing wrong was found."), HasSubstr("1 thread, 1 sleeping"), HasSubstr("RSS ")));
}

TEST(Check, OneThatIsNotThere) {
  Finished none = run({dwell_binary(), "999999999"});
  EXPECT_EQ(none.exit, 3) << none.errors;
  EXPECT_THAT(none.errors, HasSubstr("999999999"));
  EXPECT_EQ(run({dwell_binary(), "check"}).exit, 2);
}

}  // namespace
}  // namespace dwell::testing
