// SPDX-License-Identifier: Apache-2.0
// `dwell clocks` against programs whose reads and waits are known.
#include "tests/end_to_end/harness.h"
#include "tests/targets/clock_reads.h"

namespace dwell::testing {
namespace {

using nlohmann::json;

// Looks at a target of ours from before it does something until it is done.
json look_at(const std::string& target_name, const std::vector<std::string>& options = {"--share", "100"}) {
  Program target({target_binary(target_name)});
  if (!target.wait_for_output("ready")) ADD_FAILURE() << "target is not ready: " << target.errors();
  std::vector<std::string> command{dwell_binary(), "clocks", "-p",    std::to_string(target.pid()),
                                   "-d",           "60",     "--json"};
  command.insert(command.end(), options.begin(), options.end());
  Program dwell(command);
  if (!dwell.wait_for_error("looking at")) {
    ADD_FAILURE() << "dwell did not attach: " << dwell.errors();
    return {};
  }
  target.write_line("go");
  if (!target.wait_for_output("done")) ADD_FAILURE() << "target did not do it: " << target.describe();
  dwell.signal(SIGINT);
  EXPECT_EQ(dwell.wait(), 0) << dwell.errors();
  EXPECT_TRUE(target.running()) << "the target must not notice";
  target.write_line("end");
  EXPECT_EQ(target.wait(), 0);
  json report = json::parse(dwell.output(), nullptr, false);
  EXPECT_FALSE(report.is_discarded()) << dwell.output().substr(0, 500);
  return report;
}

bool goes_through(const json& site, const std::string& function) {
  for (const json& frame : site["stack"])
    if (frame["function"] == function) return true;
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
  json report = look_at(GetParam());
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

}  // namespace
}  // namespace dwell::testing
