// SPDX-License-Identifier: Apache-2.0
// Waits of goroutines as a recording has them, against what the program is known to do, and against the
// runtime's own block profile of the same waits. DWELL_GO_WAITS may name builds by other versions of Go, and
// DWELL_GO_CHURN_TARGET one of the program that never rests.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

constexpr double kRounds = 20, kPauseNs = 10e6;

struct Waits {
  double times = 0, ns = 0;
};

// By "reason function", for each function of the program on the stack.
std::map<std::string, Waits> waits_in(const nlohmann::json& report) {
  std::map<std::string, Waits> waits;
  for (const auto& site : report["go_blocked"]["sites"]) {
    std::map<std::string, bool> counted;
    for (const auto& frame : site["stack"]) {
      std::string function = frame["function"];
      if (!function.starts_with("main.") || !counted.try_emplace(function, true).second) continue;
      Waits& to = waits[function];
      to.times += site["counted"].get<double>();
      to.ns += site["ns"].get<double>();
    }
  }
  return waits;
}

// What the runtime tells in its block profile: "cycles count @ pcs", and a line for each frame.
std::map<std::string, Waits> parse_block_profile(const std::string& text) {
  std::map<std::string, Waits> waits;
  std::istringstream lines(text);
  double per_second = 0;
  Waits current;
  std::map<std::string, bool> counted;
  for (std::string line; std::getline(lines, line);) {
    double cycles, count;
    char at, name[256];
    if (std::sscanf(line.c_str(), "cycles/second=%lf", &per_second) == 1) continue;
    if (std::sscanf(line.c_str(), "%lf %lf %c", &cycles, &count, &at) == 3 && at == '@') {
      current = {count, cycles / per_second * 1e9};
      counted.clear();
    } else if (std::sscanf(line.c_str(), "#\t%*x\t%255[^\t+]", name) == 1 &&
               counted.try_emplace(name, true).second) {
      waits[name].times += current.times;
      waits[name].ns += current.ns;
    }
  }
  return waits;
}

std::vector<std::string> targets() { return builds_of({"waits"}, "DWELL_GO_WAITS"); }

// So much that these waits are watched all the time, also where a trap takes microseconds.
const std::vector<std::string> kAllTheTime = {"--go-blocked", "--max-overhead", "50"};

class GoWaits : public ::testing::TestWithParam<std::string> {};

TEST_P(GoWaits, AreThoseThatTheProgramMakes) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({GetParam(), "profile"}, kAllTheTime);
  const nlohmann::json& blocked = scenario.report["go_blocked"];
  ASSERT_TRUE(blocked.is_object()) << scenario.report.dump(1);
  EXPECT_EQ(blocked["lost"], 0);
  EXPECT_EQ(blocked["windows"], 1) << "a program that waits so seldom is watched all the time";
  EXPECT_TRUE(blocked["notes"].empty()) << blocked["notes"].dump();
  std::map<std::string, Waits> seen = waits_in(scenario.report);

  struct Expected {
    const char* function;
    double times, ns_each;
  };
  for (Expected expected : {Expected{"main.sleeps", 5 * kRounds, kPauseNs},
                            {"main.receives", 4 * kRounds, kPauseNs},
                            {"main.receivesDeep", kRounds, kPauseNs},
                            {"main.waitsForGroup", kRounds, kPauseNs}}) {
    const Waits& waits = seen[expected.function];
    EXPECT_EQ(waits.times, expected.times) << expected.function;
    EXPECT_GE(waits.ns, 0.95 * expected.times * expected.ns_each) << expected.function;
  }
}

TEST_P(GoWaits, AgreeWithTheRuntimesOwnBlockProfile) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({GetParam(), "profile"}, kAllTheTime);
  std::map<std::string, Waits> seen = waits_in(scenario.report);
  std::map<std::string, Waits> own = parse_block_profile(scenario.output);
  for (const char* function :
       {"main.receives", "main.receivesDeep", "main.locksMutex", "main.locks", "main.waitsForGroup"}) {
    ASSERT_GT(own[function].times, 0) << function << "\n" << scenario.output;
    EXPECT_EQ(seen[function].times, own[function].times) << function;
    EXPECT_NEAR(seen[function].ns, own[function].ns, 0.03 * own[function].ns) << function;
  }
}

TEST_P(GoWaits, SayWhyAndByWhichStack) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({GetParam()}, kAllTheTime);
  std::uint64_t forever = 0, contended = 0;
  double locked_ns = 0;
  for (const auto& site : scenario.report["go_blocked"]["sites"]) {
    EXPECT_TRUE(site["incomplete"].is_null()) << site.dump(1);
    ASSERT_FALSE(site["stack"].empty());
    std::string functions;
    for (const auto& frame : site["stack"]) functions += frame["function"].get<std::string>() + " ";
    EXPECT_TRUE(functions.ends_with("runtime.goexit ")) << functions;
    if (functions.find("main.waitsForever ") != std::string::npos) {
      EXPECT_EQ(site["reason"], "chan receive");
      EXPECT_GE(site["ns"].get<double>(),
                3 * 0.99 * scenario.report["go_blocked"]["duration_ns"].get<double>());
      forever += site["waiting_at_start"].get<std::uint64_t>();
      EXPECT_EQ(site["waiting_at_end"], 3);
    }
    if (functions.find("main.sleeps ") != std::string::npos) {
      EXPECT_EQ(site["reason"], "sleep");
    }
    if (functions.find("main.locksMutex ") != std::string::npos && site["lock"]) {
      locked_ns += site["ns"].get<double>();
      contended += static_cast<std::uint64_t>(site["contended"].get<double>());
    }
  }
  EXPECT_EQ(forever, 3u);
  EXPECT_EQ(contended, static_cast<std::uint64_t>(kRounds));
  EXPECT_GE(locked_ns, 0.9 * kRounds * kPauseNs);
}

INSTANTIATE_TEST_SUITE_P(Targets, GoWaits, ::testing::ValuesIn(targets()));

struct Account {
  double ns = 0;
  std::map<std::string, Waits> waits;
};

Account account_of(Program& target, int number) {
  target.write_line("account");
  EXPECT_TRUE(target.wait_for_output("end of account"));
  std::string text = target.output();
  std::size_t at = 0;
  for (int i = 0; i < number; ++i) at = text.find("account ", at ? text.find("end of account", at) + 14 : 0);
  Account account;
  if (at != std::string::npos) account.ns = std::strtod(text.c_str() + at + 8, nullptr);
  account.waits = parse_block_profile(text.substr(at));
  return account;
}

// A program that is watched in windows only, some of whose waits are longer than any of them.
TEST(GoWaitsInWindows, AreEstimatedWithinTheStatedError) {
  DWELL_NEEDS_BPF();
  const char* other = std::getenv("DWELL_GO_CONTEND_TARGET");
  Program target({other ? other : target_binary("go/contend"), "profile"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  TemporaryFolder folder;
  std::string path = folder.file("contend.dwell");
  Recording recording(target.pid(), path, kAllTheTime);
  ASSERT_TRUE(recording.attached());
  Account begin = account_of(target, 1);
  ::sleep(8);
  Account end = account_of(target, 2);
  recording.stop();
  nlohmann::json blocked = report(path)["go_blocked"];
  EXPECT_GT(blocked["windows"], 3);
  EXPECT_LT(blocked["watched_ns"].get<double>(), 0.5 * blocked["duration_ns"].get<double>());
  double duration = blocked["duration_ns"].get<double>(), between = end.ns - begin.ns;
  ASSERT_GT(between, 7e9);
  for (const char* function : {"main.waitsLong", "main.contends"}) {
    double ns = 0, error = 0;
    for (const auto& site : blocked["sites"]) {
      bool here = std::ranges::any_of(site["stack"],
                                      [&](const auto& frame) { return frame["function"] == function; });
      if (!here) continue;
      ns += site["ns"].get<double>();
      error = std::hypot(error, site["ns_error"].get<double>());
    }
    double own = (end.waits[function].ns - begin.waits[function].ns) / between;
    std::cout << function << ": " << ns / duration << " ± " << error / duration << " parked, by the runtime "
              << own << "\n";
    EXPECT_NEAR(ns / duration, own, 4 * error / duration + 0.05 * own) << function;
    EXPECT_LT(error, 0.6 * ns) << function << ": an error that says nothing";
  }
}

// A program that switches a hundred thousand times a second, with collections and growing stacks.
TEST(GoWaitsUnderChurn, AreWatchedInWindowsAndDoNoHarm) {
  DWELL_NEEDS_BPF();
  const char* other = std::getenv("DWELL_GO_CHURN_TARGET");
  Program target({other ? other : target_binary("go/churn")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  const char* seconds = std::getenv("DWELL_GO_CHURN");
  TemporaryFolder folder;
  Finished recorded = run({dwell_binary(), "record", "-q", "-p", std::to_string(target.pid()), "--go-blocked",
                           "-d", seconds ? seconds : "5", "-o", folder.file("churn.dwell")},
                          std::chrono::seconds(900));
  EXPECT_EQ(recorded.exit, 0) << recorded.errors;
  EXPECT_TRUE(target.running()) << target.describe() << target.errors();
  nlohmann::json blocked = report(folder.file("churn.dwell"))["go_blocked"];
  std::cout << blocked["windows"] << " windows, " << blocked["watched_ns"] << " of " << blocked["duration_ns"]
            << " ns watched, " << blocked["probe_hits"] << " hits, " << blocked["lost"] << " lost\n";
  EXPECT_GE(blocked["windows"], 1) << "where traps are dear, one of them may be all that five seconds can pay for";
  EXPECT_LT(blocked["watched_ns"], blocked["duration_ns"]);
  EXPECT_EQ(blocked["lost"], 0);
  double incomplete = 0, all = 0;
  for (const auto& site : blocked["sites"]) {
    double waits = site["counted"].get<double>();
    all += waits;
    if (!site["incomplete"].is_null()) incomplete += waits;
    if (site["counted"] > 100) {
      EXPECT_GT(site["waits_error"], 0) << site.dump(1);
    }
  }
  EXPECT_GT(all, 1000);
  EXPECT_EQ(incomplete, 0);
  // A hundred goroutines have waited in main.still all the time, whatever the windows.
  double still_ns = 0, expected_ns = 100 * blocked["duration_ns"].get<double>();
  for (const auto& site : blocked["sites"])
    for (const auto& frame : site["stack"])
      if (frame["function"] == "main.still") still_ns += site["ns"].get<double>();
  EXPECT_NEAR(still_ns, expected_ns, 0.02 * expected_ns);
}

}  // namespace
}  // namespace dwell::testing
