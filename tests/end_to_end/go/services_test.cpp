// SPDX-License-Identifier: Apache-2.0
// Thirteen small services, and a lease, with a problem each, and the same without it: dwell names the one by the program's own line, with no
// option, and finds nothing in the other. DWELL_GO_SERVICES may name more builds of the target, of other versions of Go.
#include <gmock/gmock.h>

#include <cctype>
#include <cstdlib>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;

struct Problem {
  std::string name;
  std::vector<std::string> words;  // in "What to look at"
};

// Lines are those of tests/targets/go/services.
const std::vector<Problem> kProblems = {
    {"goroutine", {"goroutines can never wake: started at requests.go:20 (main.handle)", "chan send at requests.go:16 (main.queryBackend)"}},
    {"context", {"contexts were never cancelled", "made at requests.go:38 (main.openSession)"}},
    {"after", {"timers are pending that nobody can receive from any more: made at requests.go:57 (main.consumeAfter)"}},
    {"ticker", {"tickers were never stopped", "made at requests.go:85 (main.trackConnection), which never calls Ticker.Stop"}},
    {"map", {"a map of ", "it grew by ", "filled at memory.go:20 (main.loadProfile)"}},
    {"closure", {"closures of memory.go:29 (main.", "it grew by "}},
    {"subslice", {"slices keep arrays of up to 262,144 bytes of which each can use 16 elements", "filled at memory.go:48 (main.readToken)"}},
    {"body", {"HTTP responses are open", "requested at requests.go:115 (main.checkHealth), where no Close of the body follows"}},
    {"pool", {"wait for a connection of a database/sql pool, most at waits.go:53 (main.queryFirst)", "all 5 connections that it may open are in use",
              "rows are taken at waits.go:53 (main.queryFirst), which never calls Rows.Close"}},
    {"garbage", {"the garbage collector runs "}},
    {"mutex", {"goroutines wait for a sync.Mutex at waits.go:77 (main.(*registry).update)"}},
    {"files", {"files are open, ", "opened at files.go:12 (main.(*auditLog).open), which never calls File.Close", "none of them was closed meanwhile", "held through the global variable at 0x"}},
    {"shutdown", {"the program never ends: its first goroutine waits at waits.go:109 (main.(*pool).stop) for 3 goroutines that never wake"}},
};

std::vector<std::string> targets() { return builds_of({"services_stripped"}, "DWELL_GO_SERVICES"); }

// "" if there is none.
std::string what_to_look_at(const std::string& text) {
  std::size_t begin = text.find("What to look at\n");
  if (begin == std::string::npos) return "";
  std::string part = text.substr(begin, text.find("\n\n", begin) - begin);
  // A sentence that goes on in the next line is one.
  for (std::size_t at = part.find("\n    "); at != std::string::npos; at = part.find("\n    ")) part.replace(at, 5, " ");
  return part;
}

// What it finds may take a moment to come about: goroutines that are still on their way.
std::string look(pid_t pid, const std::string& until) {
  std::string found, all;
  (void)eventually([&] {
    Finished looked = run({dwell_binary(), "go", std::to_string(pid)});
    all = looked.output + looked.errors;
    found = what_to_look_at(looked.output);
    return until.empty() || found.find(until) != std::string::npos;
  }, std::chrono::seconds(10));
  return found.empty() && !until.empty() ? all : found;
}

class Services : public ::testing::TestWithParam<std::string> {};

TEST_P(Services, AreNamedByTheProgramsOwnLines) {
  for (const Problem& problem : kProblems) {
    SCOPED_TRACE(problem.name);
    Program target({GetParam(), problem.name});
    ASSERT_TRUE(target.wait_for_output("ready"));
    std::string found = look(target.pid(), problem.words.back());
    for (const std::string& words : problem.words) EXPECT_THAT(found, HasSubstr(words));
  }
}

TEST_P(Services, ThatAreRepairedAreNot) {
  for (const Problem& problem : kProblems) {
    SCOPED_TRACE(problem.name);
    Program target({GetParam(), problem.name, "repaired"});
    ASSERT_TRUE(target.wait_for_output("ready"));
    EXPECT_EQ(look(target.pid(), ""), "");
  }
}

// Nothing that may still run leads to what it waits for, either: but no goroutine that is stuck does.
TEST_P(Services, ThatParkTheirFirstGoroutineAreNotStuck) {
  Program target({GetParam(), "parked"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string text;
  auto parked = [&] {
    text = run({dwell_binary(), "go", std::to_string(target.pid())}).output;
    return text.find("main.park.func1") != std::string::npos && text.find("main.park (") != std::string::npos;
  };
  ASSERT_TRUE(eventually(parked)) << text;
  EXPECT_EQ(what_to_look_at(text), "");
  Finished proved = run({dwell_binary(), "go", std::to_string(target.pid()), "--prove"});
  EXPECT_EQ(proved.exit, 0) << proved.output;
}

INSTANTIATE_TEST_SUITE_P(Targets, Services, ::testing::ValuesIn(targets()), name_of_build);

// By its code alone, so it is a program of its own.
TEST(Lease, ThatComparesTheWallClockIsNamed) {
  Program wall({target_binary("go/lease")}), monotonic({target_binary("go/lease_repaired")});
  ASSERT_TRUE(wall.wait_for_output("ready"));
  ASSERT_TRUE(monotonic.wait_for_output("ready"));
  EXPECT_THAT(look(wall.pid(), "wall clock"), HasSubstr("1 line of the program compares the wall clock, which can be set: lease.go:12 (main.(*lease).valid)"));
  EXPECT_EQ(look(monotonic.pid(), ""), "");
}

// The summary of a recording begins with the same; the others are in scripts/prove-go-services.
TEST(RecordedServices, BeginWithWhatToLookAt) {
  DWELL_NEEDS_BPF();
  const std::pair<std::string, std::vector<std::string>> kRecorded[] = {
      {"context", {"made at requests.go:38 (main.openSession)"}},
      {"files", {"opened at files.go:12 (main.(*auditLog).open), which never calls File.Close"}},
      {"mutex", {"waited for a sync.Mutex at waits.go:77 (main.(*registry).update)"}},
      {"garbage", {"arbage collector r", "most is allocated by "}},
  };
  for (const auto& [name, words] : kRecorded) {
    SCOPED_TRACE(name);
    Program target({target_binary("go/services_stripped"), name});
    ASSERT_TRUE(target.wait_for_output("ready"));
    TemporaryFolder folder;
    Finished recorded = run({dwell_binary(), "record", std::to_string(target.pid()), "-d", "1s", "--look-every", "100ms", "-o", folder.file("go.dwell")});
    for (const std::string& each : words) EXPECT_THAT(recorded.output, HasSubstr(each)) << recorded.errors;
    // What is found at the end stands above the last look, what is found in all of it above the rest.
    std::string all = run({dwell_binary(), "report", folder.file("go.dwell"), "--only", "go"}).output, found;
    for (std::size_t at = all.find("What to look at\n"); at != std::string::npos; at = all.find("What to look at\n", at + 1)) found += what_to_look_at(all.substr(at)) + "\n";
    for (const std::string& each : words) EXPECT_THAT(found, HasSubstr(each));
    nlohmann::json json = report(folder.file("go.dwell"));
    EXPECT_FALSE(json["go"][0]["findings"].empty());
  }
}

TEST(RecordedServices, AreSilentAboutTheRepairedOnes) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("go/services_stripped"), "context", "repaired"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  TemporaryFolder folder;
  Finished recorded = run({dwell_binary(), "record", std::to_string(target.pid()), "-d", "1s", "-o", folder.file("go.dwell")});
  EXPECT_EQ(recorded.output.find("never cancelled"), std::string::npos) << recorded.output;
  EXPECT_EQ(what_to_look_at(run({dwell_binary(), "report", folder.file("go.dwell"), "--only", "go"}).output), "");
}

}  // namespace
}  // namespace dwell::testing
