// SPDX-License-Identifier: Apache-2.0
// The collector at its limit, with its reason and with who pays; and what of RSS is Go's heap, its goroutines' stacks, and idle.
// DWELL_GO_PRESSURE may name more builds of the target, of other versions of Go.
#include <gmock/gmock.h>

#include <regex>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> pressure_builds() { return builds_of({"pressure"}, "DWELL_GO_PRESSURE"); }

class Pressure : public ::testing::TestWithParam<std::string> {};

std::string joined_lines(std::string text) {
  for (std::size_t at = text.find("\n    "); at != std::string::npos; at = text.find("\n    ")) text.replace(at, 5, " ");
  return text;
}

TEST_P(Pressure, OfTheCollectorIsToldWithItsReasonAndWhoPays) {
  Program target({GetParam(), "limit"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string found;
  auto pays = [&] {
    found = joined_lines(run({dwell_binary(), "go", std::to_string(target.pid())}).output);
    return found.find("pressure.go:38 (main.encode)") != std::string::npos;
  };
  EXPECT_TRUE(eventually(pays, std::chrono::seconds(20))) << found;
  EXPECT_THAT(found, HasSubstr(" times a second because GOMEMLIMIT is 32.0 MB and "));
  EXPECT_THAT(found, HasSubstr("it stopped the program for "));
  EXPECT_TRUE(std::regex_search(found, std::regex("goroutines that allocate,? (have to help it|of them)?.*most at pressure.go:38 \\(main.encode\\) \\(\\d+ glances\\)"))) << found;
}

struct Truth {
  double heap = 0, stacks = 0, idle = 0;
};

Truth truth_of(const std::string& output) {
  std::smatch numbers;
  Truth truth;
  if (!std::regex_search(output, numbers, std::regex("heap (\\d+) stacks (\\d+) idle (\\d+)"))) return truth;
  return {std::stod(numbers[1]), std::stod(numbers[2]), std::stod(numbers[3])};
}

double part_of(const nlohmann::json& look, const std::string& name) {
  return look["account"]["parts"][name]["resident_bytes"].get<double>();
}

// The runtime counts what it has mapped: a page that nobody has touched yet is in no RSS. And it goes on to give back.
constexpr double kSlack = 3 << 20, kLeastShare = 0.7;

void expect_most_of(double found, double counted) {
  EXPECT_LE(found, counted + kSlack);
  EXPECT_GE(found, kLeastShare * counted - kSlack);
}

TEST_P(Pressure, OnMemoryIsAccountedForByUse) {
  for (const char* mode : {"idle", "stacks"}) {
    SCOPED_TRACE(mode);
    Program target({GetParam(), mode});
    ASSERT_TRUE(target.wait_for_output("ready"));
    Truth truth = truth_of(target.output());
    Finished looked = run({dwell_binary(), "memory", std::to_string(target.pid()), "--json"});
    ASSERT_EQ(looked.exit, 0) << looked.errors;
    nlohmann::json look = nlohmann::json::parse(looked.output);
    EXPECT_NEAR(part_of(look, "go_heap"), truth.heap, kSlack);
    expect_most_of(part_of(look, "goroutine_stacks"), truth.stacks);
    expect_most_of(part_of(look, "idle_go_heap"), truth.idle);
  }
}

TEST_P(Pressure, OfIdleMemoryIsAFinding) {
  Program idle({GetParam(), "idle"}), stacks({GetParam(), "stacks"});
  ASSERT_TRUE(idle.wait_for_output("ready"));
  ASSERT_TRUE(stacks.wait_for_output("ready"));
  const std::string words = "are idle memory of the Go heap, which the runtime has not given back yet";
  EXPECT_THAT(joined_lines(run({dwell_binary(), std::to_string(idle.pid())}).output), HasSubstr(words));
  EXPECT_THAT(joined_lines(run({dwell_binary(), std::to_string(stacks.pid())}).output), Not(HasSubstr(words)));
  EXPECT_THAT(joined_lines(run({dwell_binary(), "go", std::to_string(idle.pid()), "--heap"}).output), HasSubstr("idle and not yet given back"));
}

INSTANTIATE_TEST_SUITE_P(Targets, Pressure, ::testing::ValuesIn(pressure_builds()), name_of_build);

}  // namespace
}  // namespace dwell::testing
