// SPDX-License-Identifier: Apache-2.0
// Every allocation function, in every C library and under every preloaded allocator: the same truth.
#include "tests/targets/heap_functions.h"

#include "tests/end_to_end/truth.h"
#include "tests/targets/cxx_operators.h"

namespace dwell::testing {
namespace {

const std::vector<Truth> kHeapFunctions = {HEAP_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kPvalloc = {HEAP_FUNCTIONS_PVALLOC(HEAP_TRUTH)};
const std::vector<Truth> kCxxOperators = {CXX_OPERATORS(HEAP_TRUTH)};

const char* const kWithoutReturnProbes = "--no-return-probes";

struct Case {
  std::string name, program, preload, method;
  bool musl() const { return program.find("musl") != std::string::npos; }
};
std::string case_name(const ::testing::TestParamInfo<Case>& test) { return test.param.name; }
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

class OfEveryAllocator : public ::testing::TestWithParam<Case> {
 protected:
  Scenario record(const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> command{target_binary(GetParam().program)}, options, environment;
    command.insert(command.end(), arguments.begin(), arguments.end());
    if (!GetParam().preload.empty()) environment.push_back("LD_PRELOAD=" + GetParam().preload);
    if (GetParam().method == kWithoutReturnProbes)
      options = {kWithoutReturnProbes};
    else if (!GetParam().method.empty())
      options = {"--attach-method", GetParam().method};
    return record_scenario(command, options, environment);
  }
  void SetUp() override {
    DWELL_NEEDS_BPF();
    if (!GetParam().preload.empty() && !is_installed(GetParam().preload))
      GTEST_SKIP() << GetParam().preload << " is not installed";
    if (::access(target_binary(GetParam().program).c_str(), X_OK) != 0)
      GTEST_SKIP() << GetParam().program << " was not built: musl-gcc is not installed";
  }
};

class HeapFunctions : public OfEveryAllocator {};
class CxxOperators : public OfEveryAllocator {};

TEST_P(HeapFunctions, KeepWhatTheyKeep) {
  Scenario scenario = record();
  std::vector<Truth> truth = kHeapFunctions;
  if (!GetParam().musl()) truth.insert(truth.end(), kPvalloc.begin(), kPvalloc.end());
  bool zero_sized = scenario.output.find(ZERO_SIZED_BLOCKS "1") != std::string::npos;
  truth.push_back({REALLOC_TO_ZERO, zero_sized, 0});
  expect_nothing_lost(scenario.report);
  expect_no_surprise(scenario.report);
  expect_kept(scenario.report, truth, GetParam().musl() ? Stacks::kToMain : Stacks::kComplete);
  expect_nothing_else(scenario.report, truth, "heap");
  expect_nothing_else(scenario.report, {}, "mapping");
}

TEST_P(CxxOperators, KeepWhatTheyKeep) {
  bool aborts = GetParam().preload.find("mimalloc") != std::string::npos;
  Scenario scenario = record(aborts ? std::vector<std::string>{"no-throw"} : std::vector<std::string>{});
  expect_nothing_lost(scenario.report);
  expect_kept(scenario.report, kCxxOperators);
  expect_nothing_else(scenario.report, kCxxOperators, "heap");
  expect_nothing_else(scenario.report, {}, "mapping");
}

// An exception does not get past a return probe.
class Throwing : public ::testing::TestWithParam<std::string> {};
TEST_P(Throwing, IsSurvivedByTheTarget) {
  DWELL_NEEDS_BPF();
  for (const char* preload : {"", "libjemalloc.so.2", "libtcmalloc_minimal.so.4"}) {
    if (*preload && !is_installed(preload)) continue;
    std::vector<std::string> options, environment{std::string("LD_PRELOAD=") + preload};
    if (GetParam() != "session") options = {"--attach-method", GetParam()};
    Scenario scenario = record_scenario({target_binary("cxx_operators")}, options, environment);
    EXPECT_NE(scenario.output.find("done"), std::string::npos) << preload;
  }
}
INSTANTIATE_TEST_SUITE_P(Truth, Throwing, ::testing::Values("session", "multi", "perf"),
                         [](const auto& test) { return test.param; });

// A limit on its memory lets an operator new of any size fail.
TEST(ThrowingUnderALimit, IsSurvivedByTheTarget) {
  DWELL_NEEDS_BPF();
  if (!is_installed("libjemalloc.so.2")) GTEST_SKIP() << "libjemalloc.so.2 is not installed";
  Scenario scenario = record_scenario({"/bin/sh", "-c", "ulimit -v 1000000; exec " + target_binary("cxx_operators")},
                                      {}, {"LD_PRELOAD=libjemalloc.so.2"});
  EXPECT_NE(scenario.output.find("done"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Truth, HeapFunctions,
    ::testing::Values(Case{"Glibc", "heap_functions", "", ""}, Case{"GlibcStatic", "heap_functions_static", "", ""},
                      Case{"Musl", "heap_functions_musl", "", ""},
                      Case{"MuslStatic", "heap_functions_musl_static", "", ""},
                      Case{"Jemalloc", "heap_functions", "libjemalloc.so.2", ""},
                      Case{"Tcmalloc", "heap_functions", "libtcmalloc_minimal.so.4", ""},
                      Case{"Mimalloc", "heap_functions", "libmimalloc.so.2", ""},
                      Case{"GlibcByMulti", "heap_functions", "", "multi"},
                      Case{"GlibcByPerf", "heap_functions", "", "perf"},
                      Case{"MuslByPerf", "heap_functions_musl", "", "perf"},
                      Case{"JemallocByMulti", "heap_functions", "libjemalloc.so.2", "multi"},
                      Case{"TcmallocByPerf", "heap_functions", "libtcmalloc_minimal.so.4", "perf"},
                      Case{"GlibcWithoutReturnProbes", "heap_functions", "", kWithoutReturnProbes},
                      Case{"JemallocWithoutReturnProbes", "heap_functions", "libjemalloc.so.2", kWithoutReturnProbes}),
    case_name);
INSTANTIATE_TEST_SUITE_P(
    Truth, CxxOperators,
    ::testing::Values(Case{"Glibc", "cxx_operators", "", ""}, Case{"GlibcStatic", "cxx_operators_static", "", ""},
                      Case{"Jemalloc", "cxx_operators", "libjemalloc.so.2", ""},
                      Case{"Tcmalloc", "cxx_operators", "libtcmalloc_minimal.so.4", ""},
                      Case{"Mimalloc", "cxx_operators", "libmimalloc.so.2", ""},
                      Case{"GlibcByPerf", "cxx_operators", "", "perf"},
                      Case{"JemallocByPerf", "cxx_operators", "libjemalloc.so.2", "perf"},
                      Case{"TcmallocByMulti", "cxx_operators", "libtcmalloc_minimal.so.4", "multi"},
                      Case{"GlibcStaticByMulti", "cxx_operators_static", "", "multi"}),
    case_name);

}  // namespace
}  // namespace dwell::testing
