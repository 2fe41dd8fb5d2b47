// SPDX-License-Identifier: Apache-2.0
// Address space that a program takes and gives back by itself, whole and in parts.
#include "tests/targets/mappings.h"

#include "tests/end_to_end/truth.h"

namespace dwell::testing {
namespace {

#define MAPPING_TRUTH(function, kind, mappings, pages) {#function, mappings, std::int64_t{pages} * 4096, kind},
const std::vector<Truth> kMappings = {MAPPING_FUNCTIONS(MAPPING_TRUTH)};
const std::vector<Truth> kBreak = {BREAK_FUNCTIONS(MAPPING_TRUTH)};

struct Case {
  std::string name, program, method;
  bool musl() const { return program.find("musl") != std::string::npos; }
};
std::string case_name(const ::testing::TestParamInfo<Case>& test) { return test.param.name; }
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

class Mappings : public ::testing::TestWithParam<Case> {};

TEST_P(Mappings, AreWhatTheProgramTook) {
  DWELL_NEEDS_BPF();
  std::string program = target_binary(GetParam().program);
  if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << "musl-gcc is not installed";
  std::vector<std::string> options;
  if (!GetParam().method.empty()) options = {"--attach-method", GetParam().method};
  Scenario scenario = record_scenario({program}, options);
  std::vector<Truth> truth = kMappings;
  if (!GetParam().musl()) truth.insert(truth.end(), kBreak.begin(), kBreak.end());
  expect_nothing_lost(scenario.report);
  expect_no_surprise(scenario.report);
  expect_kept(scenario.report, truth, GetParam().musl() ? Stacks::kToMain : Stacks::kComplete);
  for (const char* kind : {"mapping", "file", "reserved"}) expect_nothing_else(scenario.report, truth, kind);
  expect_nothing_else(scenario.report, {}, "heap");
}

TEST(MappingsOption, LeavesThemOut) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({target_binary("mappings")}, {"--without", "memory:mappings"});
  for (const char* kind : {"mapping", "file", "reserved"}) expect_nothing_else(scenario.report, {}, kind);
}

INSTANTIATE_TEST_SUITE_P(Truth, Mappings,
                         ::testing::Values(Case{"Glibc", "mappings", ""}, Case{"GlibcStatic", "mappings_static", ""},
                                           Case{"Musl", "mappings_musl", ""},
                                           Case{"MuslStatic", "mappings_musl_static", ""},
                                           Case{"GlibcByMulti", "mappings", "multi"},
                                           Case{"GlibcByPerf", "mappings", "perf"}),
                         case_name);

}  // namespace
}  // namespace dwell::testing
