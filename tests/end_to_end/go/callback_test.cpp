// SPDX-License-Identifier: Apache-2.0
// Programs with Go and C in them: threads that C made, C that Go called, C's memory. DWELL_GO_CALLBACK may
// name more builds of the target, of other versions of Go.
#include <gtest/gtest.h>

#include "tests/end_to_end/go/account.h"
#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"
#include "userspace/go/goroutines/report.h"

namespace dwell::testing {
namespace {

constexpr std::size_t kThreads = 8;  // that C makes

std::vector<std::string> targets() { return builds_of({"callback"}, "DWELL_GO_CALLBACK"); }

class CalledBack : public ::testing::TestWithParam<std::string> {};

TEST_P(CalledBack, GoroutinesOfThreadsThatCMadeEqualTheProgramsOwnAccount) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Accounts seen = look(*runtime);
  target.write_line("account");
  ASSERT_TRUE(target.wait_for_output("end of account"));
  Accounts own = parse_traceback(target.output().substr(target.output().find("goroutine ")));
  std::size_t called_back = 0;
  for (const auto& [id, account] : own) {
    if (id == 1) continue;  // it writes the account
    ASSERT_TRUE(seen.contains(id)) << id;
    EXPECT_TRUE(same_stack(account, seen.at(id))) << id << "\n" << text_of(account) << text_of(seen.at(id));
    called_back += account.frames[0].starts_with("main.waitInGo");
  }
  EXPECT_EQ(called_back, kThreads);
  EXPECT_EQ(seen.size(), own.size());
  Result<GoroutineReport> report = look_at_goroutines(*runtime);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->figures.broken + report->figures.moved + report->figures.unreadable, 0u);
}

TEST_P(CalledBack, MemoryOfCAndGoroutinesAreInOneRecording) {
  DWELL_NEEDS_BPF();
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  TemporaryFolder folder;
  Recording recorder(target.pid(), folder.file("r.dwell"), {"--look-every", "200ms"});
  ASSERT_TRUE(recorder.attached());
  target.write_line("keep");
  ASSERT_TRUE(target.wait_for_output("done keep"));
  ASSERT_EQ(recorder.stop(), 0) << recorder.program().errors();
  nlohmann::json both = report(folder.file("r.dwell"));
  EXPECT_EQ(sum(sites_in(both, "keep_in_c"), "retained_bytes"), 100 * 100'000);
  std::size_t of_c = 0;
  for (const nlohmann::json& creator : both["go"][0]["creators"])
    if (creator["most"]["state"] == "chan receive") of_c = creator["most"]["count"];
  EXPECT_EQ(of_c, kThreads) << both["go"].dump(1);
  EXPECT_EQ(both["go"][0]["broken"], 0);
  expect_nothing_lost(both);
}

INSTANTIATE_TEST_SUITE_P(Targets, CalledBack, ::testing::ValuesIn(targets()), name_of_build);

}  // namespace
}  // namespace dwell::testing
