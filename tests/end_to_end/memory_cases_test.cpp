// SPDX-License-Identifier: Apache-2.0
// What people ask of a memory profiler: each program retains memory for one reason, and the reason has to be found.
#include "tests/targets/memory_cases.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MemoryCase : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
  static Scenario record(const std::string& way, const std::string& program = "memory_cases") {
    Scenario scenario = record_scenario({target_binary(program), way}, {"--only", "memory"});
    expect_nothing_lost(scenario.report);
    return scenario;
  }
  // How much a part of RSS grew.
  static double growth_of(const Scenario& scenario, const std::string& part) {
    const auto& parts = scenario.report["process_memory"][0]["part_changes"];
    return parts.contains(part) ? parts[part].get<double>() : 0;
  }
};

TEST_F(MemoryCase, WhatStaysWhenARequestThrowsIsTheBufferAndTheException) {
  constexpr double kThrown = MC_REQUESTS / 3;
  Scenario scenario = record("throws");
  double exceptions = 0, raw_bytes = 0, raw_blocks = 0;
  for (const auto& site : sites_in(scenario.report, "parse")) {
    bool in_validate = false;
    for (const auto& one : sites_in(scenario.report, "validate")) in_validate |= one == site;
    if (in_validate) continue;
    raw_bytes += site["figures"]["retained_bytes"].get<double>();
    raw_blocks += site["figures"]["retained_blocks"].get<double>();
  }
  EXPECT_EQ(raw_bytes, kThrown * MC_RAW);
  EXPECT_EQ(raw_blocks, kThrown);
  exceptions = sum(sites_in(scenario.report, "__cxa_allocate_exception"), "retained_blocks");
  EXPECT_EQ(exceptions, kThrown);
}

TEST_F(MemoryCase, ALeakAndACacheThatRetainTheSameAreToldApart) {
  Program program({target_binary("memory_cases"), "leak_and_cache"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  program.write_line("go");
  ASSERT_TRUE(program.wait_for_output("done"));
  std::string pid = std::to_string(program.pid());
  // The first command that anybody types.
  Finished check = run({dwell_binary(), pid});
  EXPECT_THAT(check.output, HasSubstr("blocks are leaked: nothing points to them any more"));
  EXPECT_THAT(check.output, HasSubstr("dwell memory " + pid + " --leaks"));
  Finished look = run({dwell_binary(), "memory", pid, "--leaks", "--holders", "--json"});
  EXPECT_EQ(look.exit, 8) << look.errors;
  auto json = nlohmann::json::parse(look.output);
  EXPECT_EQ(json["leaks"]["leaked_blocks"], MC_ENTRIES - 1);
  EXPECT_THAT(json["holders"].dump(), HasSubstr("sessions"));
}

double leaked_share(const nlohmann::json& site) { return site["holding"].is_null() ? -1 : site["holding"]["leaked_share"].get<double>(); }

// The same in a recording: by call site, also where a budget is watched over that is not met.
TEST_F(MemoryCase, ARecordingTellsWhichCallSiteLeaksAndWhatHoldsTheOthers) {
  for (const std::vector<std::string>& how : {std::vector<std::string>{"--only", "memory"}, {"--only", "memory", "--max-overhead", "20"}}) {
    Scenario scenario = record_scenario({target_binary("memory_cases"), "leak_and_cache"}, how);
    auto lost = sites_in(scenario.report, "lost"), cached = sites_in(scenario.report, "cached");
    ASSERT_FALSE(lost.empty());
    ASSERT_FALSE(cached.empty());
    for (const auto& site : lost) EXPECT_GE(leaked_share(site), (MC_ENTRIES - 1.5) / MC_ENTRIES) << site.dump();
    for (const auto& site : cached) {
      EXPECT_EQ(leaked_share(site), 0) << site.dump();
      EXPECT_EQ(site["holding"]["by"][0]["name"], "sessions");
    }
    EXPECT_NEAR(scenario.report["totals"][0]["leaked_bytes"].get<double>(), (MC_ENTRIES - 1) * MC_ENTRY, MC_ENTRY);
  }
}

TEST_F(MemoryCase, WhatHoldsTheBlocksCanBeLeftOut) {
  Scenario scenario = record_scenario({target_binary("memory_cases"), "leak_and_cache"}, {"--only", "memory", "--without", "memory:holders"});
  ASSERT_FALSE(sites_in(scenario.report, "lost").empty());
  for (const auto& site : sites_in(scenario.report, "lost")) EXPECT_TRUE(site["holding"].is_null());
  Scenario alone = record_scenario({target_binary("memory_cases"), "leak_and_cache"}, {"--only", "memory:holders"});
  ASSERT_FALSE(sites_in(alone.report, "lost").empty());
  EXPECT_GT(leaked_share(sites_in(alone.report, "lost")[0]), 0.9);
}

TEST_F(MemoryCase, NothingIsWrongWithACacheAlone) {
  Program program({target_binary("memory_cases"), "optimized"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  program.write_line("go");
  ASSERT_TRUE(program.wait_for_output("done"));
  Finished check = run({dwell_binary(), std::to_string(program.pid())});
  EXPECT_EQ(check.exit, 0) << check.errors;
  EXPECT_THAT(check.output, Not(HasSubstr("leaked")));
  EXPECT_THAT(check.output, HasSubstr("; no leak"));
}

// Optimized at link time, stripped, its debug information in a file beside it.
TEST_F(MemoryCase, ABuildAsDistributionsMakeItHasNamesAndWholeStacks) {
  Scenario scenario = record("optimized", "memory_cases_optimized");
  double strings = 0;
  for (const auto& site : sites_in(scenario.report, "Registry::add")) strings += site["figures"]["retained_bytes"].get<double>();
  EXPECT_GE(strings, MC_CLIENTS * MC_NAME);
  EXPECT_FALSE(sites_in(scenario.report, "accept_client").empty());
  EXPECT_FALSE(sites_in(scenario.report, "main").empty());
}

TEST_F(MemoryCase, AProgramThatMayHardlyCallTheKernelIsRecordedAndLives) {
  Scenario scenario = record("distrusts");
  EXPECT_THAT(scenario.output, HasSubstr("done"));
  EXPECT_EQ(sum(sites_in(scenario.report, "keep"), "retained_blocks"), MC_KEPT);
  EXPECT_EQ(sum(sites_in(scenario.report, "keep"), "retained_bytes"), MC_KEPT * MC_KEEP);
}

// ---- programs in other languages ----

// 26 MB of Buffers, which are no part of the JavaScript heap: blocks of malloc, below a call from JavaScript.
TEST_F(MemoryCase, BuffersOfNodeAreLiveBlocks) {
  constexpr double kBytes = 400.0 * 65536;
  if (run({"/bin/sh", "-c", "command -v node"}).exit != 0) GTEST_SKIP() << "node is not installed";
  Scenario scenario = record_scenario(
      {"/bin/sh", "-c",
       "exec node -e \"const kept = []; console.log('ready'); process.stdin.once('data', () => { for (let i = 0; i < 400; i++) "
       "kept.push(Buffer.alloc(65536, 1 + i % 9)); console.log('done'); process.stdin.once('data', () => process.exit(0)); })\""},
      {"--only", "memory"});
  double bytes = sum(sites_in(scenario.report, "v8::internal::BackingStore::Allocate"), "retained_bytes");
  EXPECT_GE(bytes, 0.98 * kBytes);
  EXPECT_LE(bytes, 1.05 * kBytes);
  EXPECT_GE(growth_of(scenario, "live_blocks"), 0.95 * kBytes);
  EXPECT_LE(growth_of(scenario, "javascript_heap"), 0.3 * kBytes);
}

// An extension that forgets to give an object back, and one that forgets a block of malloc: arenas of Python's own allocator, and
// live blocks.
TEST_F(MemoryCase, WhatPythonRetainsIsArenasAndBlocks) {
  constexpr double kBlocks = 100.0 * 100'000, kObjects = 100'000.0 * 64;
  Scenario scenario = record_scenario(
      {"/usr/bin/python3", "-c",
       "import ctypes, sys\nc = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p; forget = ctypes.pythonapi.Py_IncRef\n"
       "forget.argtypes = [ctypes.py_object]\nprint('ready', flush=True); sys.stdin.readline()\n"
       "for i in range(100): ctypes.memset(c.malloc(100000), 1, 100000)\nfor i in range(100000): forget('number %d of many' % i)\n"
       "print('done', flush=True); sys.stdin.readline()"},
      {"--only", "memory"});
  EXPECT_NEAR(growth_of(scenario, "live_blocks"), kBlocks, 0.1 * kBlocks) << scenario.report["process_memory"];
  EXPECT_GE(growth_of(scenario, "anonymous_mappings"), kObjects);
  EXPECT_GE(sum(sites_in(scenario.report, "malloc"), "retained_bytes"), kBlocks);
  double mapped = 0;
  for (const auto& site : scenario.report["sites"])
    if (site["kind"] == "mapping") mapped += site["figures"]["retained_bytes"].get<double>();
  EXPECT_GE(mapped, kObjects);
}

}  // namespace
}  // namespace dwell::testing
