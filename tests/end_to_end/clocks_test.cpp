// SPDX-License-Identifier: Apache-2.0
// `dwell clocks` against programs whose reads and waits are known.
#include <signal.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <set>
#include <sstream>

#include "tests/end_to_end/harness.h"
#include "tests/targets/clock_reads.h"
#include "tests/targets/clock_verdicts.h"
#include "userspace/base/clock.h"

namespace dwell::testing {
namespace {

using nlohmann::json;

json parse(const std::string& text) {
  json report = json::parse(text, nullptr, false);
  EXPECT_FALSE(report.is_discarded()) << text.substr(0, 500);
  return report;
}

// Looks at a target of ours from before it does something until it is done. `meanwhile` is called after it
// was let go.
std::string output_of_look(const std::vector<std::string>& target_command,
                           const std::vector<std::string>& options,
                           const std::function<void(Program&)>& meanwhile = {}) {
  Program target(target_command);
  if (!target.wait_for_output("ready")) ADD_FAILURE() << "target is not ready: " << target.errors();
  std::vector<std::string> command{dwell_binary(), "clocks", "-p", std::to_string(target.pid()), "-d", "60"};
  command.insert(command.end(), options.begin(), options.end());
  Program dwell(command);
  if (!dwell.wait_for_error("looking at")) {
    ADD_FAILURE() << "dwell did not attach: " << dwell.errors();
    return {};
  }
  target.write_line("go");
  if (meanwhile) meanwhile(target);
  if (!target.wait_for_output("done")) ADD_FAILURE() << "target did not do it: " << target.describe();
  dwell.signal(SIGINT);
  EXPECT_EQ(dwell.wait(), 0) << dwell.errors();
  EXPECT_TRUE(target.running()) << "the target must not notice";
  target.write_line("end");
  EXPECT_EQ(target.wait(), 0);
  return dwell.output();
}

json look_at(const std::vector<std::string>& target_command,
             std::vector<std::string> options = {"--share", "100"},
             const std::function<void(Program&)>& meanwhile = {}) {
  options.push_back("--json");
  return parse(output_of_look(target_command, options, meanwhile));
}

// "namespace::function(parameters)" is that function too.
bool goes_through(const json& site, const std::string& function) {
  for (const json& frame : site["stack"]) {
    std::string name = frame["function"];
    std::size_t at = name.rfind(function);
    if (at == std::string::npos || (at > 0 && name[at - 1] != ':')) continue;
    if (at + function.size() == name.size() || name[at + function.size()] == '(') return true;
  }
  return false;
}

struct Seen {
  std::uint64_t reads = 0;
  std::set<std::string> clocks;
};
Seen reads_in(const json& report, const std::string& function) {
  Seen seen;
  for (const json& site : report["reads"]) {
    if (!goes_through(site, function) || site["sampled"]) continue;
    seen.reads += site["counted"].get<std::uint64_t>();
    seen.clocks.insert(site["clock"]);
  }
  return seen;
}

void expect_reads(const json& report, const std::string& function, const char* clock, std::uint64_t times) {
  Seen seen = reads_in(report, function);
  EXPECT_EQ(seen.reads, times) << function;
  if (clock) {
    EXPECT_EQ(seen.clocks, std::set<std::string>{clock}) << function;
  }
}

class ClockReads : public ::testing::TestWithParam<std::string> {};

TEST_P(ClockReads, AreCountedExactlyByClockAndSite) {
  DWELL_NEEDS_BPF();
  bool is_musl = GetParam().find("musl") != std::string::npos,
       is_static = GetParam().find("static") != std::string::npos;
  if (is_musl && ::access(target_binary(GetParam()).c_str(), X_OK)) GTEST_SKIP() << "musl is not installed";
  json report = look_at({target_binary(GetParam())});
  EXPECT_TRUE(report["losses"].empty()) << report["losses"];
#define EXPECT_READS(function, clock, times) \
  if (clock || !is_static) expect_reads(report, #function, clock, times);
  CLOCK_READS(EXPECT_READS)
  // glibc in a static program calls the vDSO without a stub.
  if (!is_static || is_musl) {
    CHOSEN_CLOCK_READS(EXPECT_READS)
  }
  for (const json& site : report["reads"]) EXPECT_EQ(site["standard_error"], 0) << "nothing was sampled";
}

INSTANTIATE_TEST_SUITE_P(Truth, ClockReads,
                         ::testing::Values("clock_reads", "clock_reads_static", "clock_reads_musl",
                                           "clock_reads_musl_static"),
                         [](const auto& test) { return test.param; });

// ---- waits and verdicts ----

std::vector<json> through(const json& list, const std::string& function) {
  std::vector<json> found;
  for (const json& item : list)
    if (goes_through(item, function)) found.push_back(item);
  return found;
}

bool has_verdict(const json& report, const std::string& kind, const std::string& function) {
  for (const json& verdict : through(report["verdicts"], function))
    if (verdict["kind"] == kind) return true;
  return false;
}

std::string verdicts_of(const json& report, const std::string& function) {
  std::string all;
  for (const json& verdict : through(report["verdicts"], function))
    all += verdict["kind"].get<std::string>() + "; ";
  return all;
}

void expect_wait(const json& report, const std::string& function, const std::string& call,
                 const std::string& clock, bool absolute, bool waits) {
  std::vector<json> sites = through(report["waits"], function);
  ASSERT_EQ(sites.size(), 1u) << function;
  const json& site = sites[0];
  EXPECT_EQ(site["call"], call) << function;
  EXPECT_EQ(site["clock"], clock) << function;
  EXPECT_EQ(site["absolute"], absolute) << function;
  EXPECT_EQ(site["count"], VERDICT_TIMES) << function;
  bool wrong = absolute && clock == "CLOCK_REALTIME";
  EXPECT_EQ(has_verdict(report, "deadline_on_wall_clock", function), wrong) << function;
  if (!waits) return;
  constexpr double kWaitNs = VERDICT_WAIT_MS * 1e6;
  EXPECT_EQ(site["timed_out"], VERDICT_TIMES) << function;
  // An absolute time was read a moment before.
  double asked = site["asked_ns"].get<double>() / VERDICT_TIMES;
  if (absolute) {
    EXPECT_LE(asked, kWaitNs) << function;
    EXPECT_GT(asked, 0) << function;
  } else {
    EXPECT_EQ(asked, kWaitNs) << function;
  }
  EXPECT_GE(site["got_ns"].get<double>(), site["asked_ns"].get<double>() - 1e4) << function;
  double overshoots = 0;
  for (const json& bucket : site["overshoot"]) overshoots += bucket["count"].get<double>();
  EXPECT_EQ(overshoots, VERDICT_TIMES) << function;
}

TEST(ClockVerdicts, TellRightFromWrong) {
  DWELL_NEEDS_BPF();
  json report = look_at({target_binary("clock_verdicts")});
  EXPECT_TRUE(report["losses"].empty()) << report["losses"];
#define EXPECT_WAIT(function, call, clock, absolute) \
  expect_wait(report, #function, call, clock, absolute, true);
#define EXPECT_TIMER(function, call, clock, absolute) \
  expect_wait(report, #function, call, clock, absolute, false);
  CLOCK_WAITS(EXPECT_WAIT)
  CLOCK_TIMERS(EXPECT_TIMER)
#define EXPECT_INTERVAL(function, wrong)                                     \
  EXPECT_EQ(has_verdict(report, "interval_on_wall_clock", #function), wrong) \
      << #function << ": " << verdicts_of(report, #function);
  CLOCK_INTERVALS(EXPECT_INTERVAL)
  EXPECT_TRUE(report["steps"].empty()) << report["steps"];
  for (const json& verdict : report["verdicts"]) EXPECT_NE(verdict["kind"], "hit_by_step");
}

TEST(ClockVerdicts, NameAThreadThatSleptFarPastItsDeadline) {
  DWELL_NEEDS_BPF();
  json report = look_at({target_binary("clock_verdicts"), "late"});
  ASSERT_TRUE(has_verdict(report, "overslept", "sleep_too_long")) << report["verdicts"];
  json site = through(report["waits"], "sleep_too_long").at(0);
  EXPECT_EQ(site["worst"]["asked_ns"], 100'000'000);
  EXPECT_GT(site["worst"]["over_ns"], 150'000'000);
  EXPECT_EQ(site["worst"]["thread"], "clock_verdicts");
}

TEST(ClockExports, HaveReadsIntervalsAndWaits) {
  DWELL_NEEDS_BPF();
  std::string target = target_binary("clock_verdicts");
  for (const auto& [type, function] : {std::pair{"reads", "interval_by_helper"},
                                       {"interval", "interval_by_system_clock"},
                                       {"waited", "wait_in_poll"}}) {
    std::string folded = output_of_look({target}, {"--share", "100", "-f", "folded", "--sample-type", type});
    EXPECT_NE(folded.find(function), std::string::npos) << type << ":\n" << folded.substr(0, 2000);
  }
  TemporaryFolder folder;
  for (const char* name : {"c.svg", "c.pb.gz", "c.speedscope.json"}) {
    output_of_look({target}, {"--share", "100", "-o", folder.file(name)});
    EXPECT_EQ(::access(folder.file(name).c_str(), R_OK), 0) << name;
  }
}

TEST(ClockRecording, SaysTheSameAsALook) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  std::string file = folder.file("clocks.dwell");
  Program target({target_binary("clock_verdicts")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), file, {"--clocks"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("done"));
  ASSERT_EQ(recording.stop(), 0) << recording.program().errors();
  target.write_line("end");
  target.wait();
  json clocks = report(file, {"--only", "clocks"});
#define EXPECT_RECORDED_WAIT(function, call, clock, absolute)         \
  EXPECT_EQ(has_verdict(clocks, "deadline_on_wall_clock", #function), \
            absolute && !strcmp(clock, "CLOCK_REALTIME"))             \
      << #function;
  CLOCK_WAITS(EXPECT_RECORDED_WAIT)
  for (const json& site : through(clocks["waits"], "wait_in_poll")) EXPECT_EQ(site["count"], VERDICT_TIMES);
  EXPECT_TRUE(has_verdict(clocks, "interval_on_wall_clock", "interval_by_helper"));
  EXPECT_GT(reads_in(clocks, "interval_by_monotonic").reads, 0u);
  Finished folded =
      run({dwell_binary(), "export", file, "--view", "clocks:reads", "-f", "folded", "--sample-type", "waited"});
  EXPECT_EQ(folded.exit, 0) << folded.errors;
  EXPECT_NE(folded.output.find("wait_in_poll"), std::string::npos);
  EXPECT_NE(run({dwell_binary(), "report", file}).output.find("clock_verdicts"), std::string::npos)
      << "memory is there too";
}

TEST(ClockRecording, IsNotThereUnlessItWasAskedFor) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  std::string file = folder.file("memory.dwell");
  ASSERT_EQ(run({dwell_binary(), "record", "-q", "-o", file, "--", "/bin/true"}).exit, 0);
  Finished asked = run({dwell_binary(), "report", "--only", "clocks", file});
  EXPECT_EQ(asked.exit, 2);
  EXPECT_NE(asked.errors.find("--clocks"), std::string::npos);
}

// ---- steps ----

// Sets the wall clock of the machine ahead, and back again as soon as it goes.
class SteppedClock {
 public:
  static constexpr std::int64_t kStepNs = 5'000'000;
  bool ahead() {
    std::int64_t before_ns = offset_ns();
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += kStepNs;
    now.tv_sec += now.tv_nsec / 1'000'000'000;
    now.tv_nsec %= 1'000'000'000;
    is_ahead_ = ::clock_settime(CLOCK_REALTIME, &now) == 0;
    ahead_ns_ = offset_ns() - before_ns;
    return is_ahead_;
  }
  // Less than what was meant, where this thread had to wait between reading the clock and setting it.
  std::int64_t ahead_ns() const { return ahead_ns_; }
  void back() {
    if (!is_ahead_) return;
    timex step{};
    step.modes = ADJ_SETOFFSET | ADJ_NANO;
    step.time.tv_sec = -1;
    step.time.tv_usec = 1'000'000'000 - kStepNs;
    EXPECT_GE(::adjtimex(&step), 0) << "the clock stays 5 ms ahead";
    is_ahead_ = false;
  }
  ~SteppedClock() { back(); }

 private:
  // Of the wall clock from one that nobody sets, read as closely together as in any of some tries.
  static std::int64_t offset_ns() {
    std::int64_t offset = 0, apart = INT64_MAX;
    for (int i = 0; i < 100; ++i) {
      std::int64_t before = ns_of(CLOCK_MONOTONIC), wall = ns_of(CLOCK_REALTIME), after = ns_of(CLOCK_MONOTONIC);
      if (after - before >= apart) continue;
      apart = after - before;
      offset = wall - before - apart / 2;
    }
    return offset;
  }
  static std::int64_t ns_of(clockid_t clock) { return static_cast<std::int64_t>(clock_ns(clock)); }

  bool is_ahead_ = false;
  std::int64_t ahead_ns_ = 0;
};

TEST(ClockSteps, AreTraceableToTheirAuthorAndToWhatTheyHit) {
  DWELL_NEEDS_BPF();
  SteppedClock clock;
  bool allowed = true;
  json report = look_at({target_binary("clock_verdicts"), "step"}, {"--share", "100"}, [&](Program& target) {
    ASSERT_TRUE(target.wait_for_output("begun"));
    allowed = clock.ahead();
    target.write_line("go on");
    ASSERT_TRUE(target.wait_for_output("over"));
    clock.back();
  });
  if (!allowed) GTEST_SKIP() << "this machine's clock must not be set";
  ASSERT_EQ(report["steps"].size(), 2u) << report["steps"];
  const char* kCalls[] = {"clock_settime(CLOCK_REALTIME)", "clock_adjtime(CLOCK_REALTIME): step"};
  for (int i = 0; i < 2; ++i) {
    const json& step = report["steps"][i];
    EXPECT_EQ(step["kind"], "step");
    EXPECT_EQ(step["what"], kCalls[i]);
    EXPECT_NEAR(step["size_ns"].get<double>(), i ? -SteppedClock::kStepNs : clock.ahead_ns(), 100'000);
    EXPECT_EQ(step["author"]["pid"], ::getpid());
    EXPECT_EQ(step["author"]["command"], "end_to_end_cloc") << "the kernel keeps 15 characters";
    EXPECT_FALSE(step["author"]["stack"].empty());
  }
  EXPECT_TRUE(has_verdict(report, "hit_by_step", "interval_while_clock_is_set")) << report["verdicts"];
  EXPECT_TRUE(has_verdict(report, "hit_by_step", "wait_while_clock_is_set")) << report["verdicts"];
  for (const json& interval : report["intervals"]) {
    if (interval["spanned_step"] == 0) continue;
    EXPECT_NEAR(interval["spanned_by_ns"].get<double>(), clock.ahead_ns(), 100'000);
  }
}

// ---- a program that does nothing but read the clock ----

TEST(HotClock, IsScaledFromWindowsWithinItsStatedError) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("clock_hot"), "60"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished look = run({dwell_binary(), "clocks", "-p", std::to_string(target.pid()), "-d", "4", "--json"});
  ASSERT_EQ(look.exit, 0) << look.errors;
  target.signal(SIGTERM);
  target.wait();
  double reads = 0, ns = 0;
  std::istringstream lines(target.output().substr(target.output().find('\n') + 1));
  for (double n, took, cpu; lines >> n >> took >> cpu; reads += n, ns += took) {
  }
  double expected = reads / ns * 1e9;
  json report = parse(look.output);
  std::vector<json> sites = through(report["reads"], "read_hotly");
  ASSERT_EQ(sites.size(), 1u);
  double rate = sites[0]["reads_per_second"], error = sites[0]["standard_error"];
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 0.25 * rate);
  EXPECT_NEAR(rate, expected, 4 * error);
  EXPECT_LT(report["watched_share"], 0.1);
  EXPECT_GT(report["windows"], 5);
  EXPECT_TRUE(has_verdict(report, "hot_clock", "read_hotly")) << report["verdicts"];
  EXPECT_TRUE(has_verdict(report, "coarse_enough", "read_hotly"));
}

}  // namespace
}  // namespace dwell::testing
