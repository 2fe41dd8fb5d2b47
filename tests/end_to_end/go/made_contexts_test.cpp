// SPDX-License-Identifier: Apache-2.0
// Contexts by the call site that makes them, with probes. DWELL_GO_CONTEXTS may name more builds of the
// target, of other versions of Go.
#include <gtest/gtest.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

// As the target makes them each time.
constexpr int kRequests = 100, kChildren = 50, kWatchers = 20;
constexpr int kTimes = 2;

std::vector<std::string> targets() { return builds_of({"contexts"}, "DWELL_GO_CONTEXTS"); }

void serve(Program& target) {
  for (int i = 0; i < kTimes; ++i) {
    target.write_line("more");
    ASSERT_TRUE(target.wait_for_output("again"));
  }
}

// What `dwell report --json` has of contexts, of a program that serves while it is recorded.
nlohmann::json record(const std::vector<std::string>& command, const std::string& path) {
  Program target(command);
  EXPECT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), path, {"--contexts"});
  EXPECT_TRUE(recording.attached());
  serve(target);
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  EXPECT_TRUE(target.running());
  return report(path)["contexts"];
}

const nlohmann::json* site_of(const nlohmann::json& contexts, const std::string& function) {
  for (const nlohmann::json& site : contexts["sites"])
    for (const nlohmann::json& frame : site["stack"])
      if (frame["function"] == function) return &site;
  return nullptr;
}

class MadeContexts : public ::testing::TestWithParam<std::string> {};

TEST_P(MadeContexts, AreCountedByTheSiteThatMakesThem) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  nlohmann::json contexts = record({GetParam()}, folder.file("made.dwell"));
  EXPECT_EQ(contexts["lost"], 0);
  EXPECT_EQ(contexts["notes"].size(), 0u) << contexts["notes"];
  EXPECT_EQ(contexts["sites"].size(), 3u);
  struct Expected {
    std::string function, kind;
    int count;
  };
  for (const Expected& expected : {Expected{"main.request", "deadline", kTimes * kRequests},
                                   Expected{"main.child", "cancel", kTimes * kChildren},
                                   Expected{"main.watch", "cancel", kTimes * kWatchers}}) {
    const nlohmann::json* site = site_of(contexts, expected.function);
    ASSERT_TRUE(site) << expected.function << ": " << contexts.dump(1);
    EXPECT_EQ((*site)["made"], expected.count) << expected.function;
    EXPECT_EQ((*site)["alive"], expected.count) << expected.function;
    EXPECT_EQ((*site)["cancelled"], 0) << expected.function;
    EXPECT_EQ((*site)["kind"], expected.kind) << expected.function;
    EXPECT_EQ((*site)["parents"], "cancel < *signal.signalCtx") << expected.function;
    EXPECT_EQ((*site)["kept_by_parent"], true);
    EXPECT_EQ((*site)["never_cancelled"], true);
    EXPECT_GT((*site)["oldest_ns"], 0);
    EXPECT_TRUE(site_of(contexts, "main.serve"));
  }
}

TEST_P(MadeContexts, AreGoneWhereTheyAreCancelled) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  nlohmann::json contexts = record({GetParam(), "kept"}, folder.file("kept.dwell"));
  for (const char* function : {"main.request", "main.child"}) {
    const nlohmann::json* site = site_of(contexts, function);
    ASSERT_TRUE(site) << function;
    EXPECT_EQ((*site)["made"], (*site)["cancelled"]) << function;
    EXPECT_EQ((*site)["alive"], 0) << function;
    EXPECT_EQ((*site)["never_cancelled"], false) << function;
    EXPECT_GT((*site)["cancelled_lived_ns"], 0);
  }
  const nlohmann::json* held = site_of(contexts, "main.watch");
  ASSERT_TRUE(held);
  EXPECT_EQ((*held)["alive"], kTimes * kWatchers);
}

INSTANTIATE_TEST_SUITE_P(Targets, MadeContexts, ::testing::ValuesIn(targets()), name_of_build);

TEST(MadeContextsReport, ReadsAsTextAndExportsAsAProfile) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  std::string path = folder.file("made.dwell");
  record({target_binary("go/contexts")}, path);
  Finished text = run({dwell_binary(), "report", path});
  EXPECT_NE(text.output.find("Contexts: 340 made, 340 of them not cancelled"), std::string::npos)
      << text.output;
  EXPECT_NE(text.output.find("none was ever cancelled; their parent keeps them until it ends"),
            std::string::npos);
  Finished folded = run({dwell_binary(), "export", path, "--view", "go:contexts", "-f", "folded"});
  EXPECT_EQ(folded.exit, 0) << folded.errors;
  EXPECT_NE(folded.output.find("main.serve;main.request;context.WithTimeout"), std::string::npos)
      << folded.output;
  EXPECT_NE(folded.output.find(" 200\n"), std::string::npos) << folded.output;
}

TEST(MadeContextsReport, RefusesAProgramThatIsNotGo) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  Program target({"/bin/sleep", "60"});
  Finished refused = run({dwell_binary(), "record", "-p", std::to_string(target.pid()), "--contexts", "-d",
                          "1s", "-o", folder.file("no.dwell")});
  EXPECT_NE(refused.errors.find("Go"), std::string::npos) << refused.errors << refused.output;
}

}  // namespace
}  // namespace dwell::testing
