// SPDX-License-Identifier: Apache-2.0
// The heap profile and the collector's figures from outside, against the program's own. DWELL_GO_HEAP may
// name more builds of the target, of other versions of Go.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"
#include "userspace/go/heap/collector.h"
#include "userspace/go/heap/profile.h"

namespace dwell::testing {
namespace {

using Counters = std::array<std::int64_t, 4>;  // objects and bytes in use, objects and bytes allocated
using Records = std::map<std::vector<std::uint64_t>, Counters>;

// Lines like "3: 1536 [10: 5120] @ 0x4a1b2c 0x4a1b00" of the profile as text.
Records parse_profile(const std::string& text) {
  Records records;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Counters c{};
    long long v[4];
    int end = 0;
    if (std::sscanf(line.c_str(), "%lld: %lld [%lld: %lld] @%n", &v[0], &v[1], &v[2], &v[3], &end) != 4 ||
        !end)
      continue;
    std::vector<std::uint64_t> pcs;
    std::istringstream addresses(line.substr(static_cast<std::size_t>(end)));
    for (std::string address; addresses >> address;) pcs.push_back(std::stoull(address, nullptr, 16));
    std::copy(v, v + 4, c.begin());
    for (std::size_t i = 0; i < 4; ++i) records[pcs][i] += c[i];
  }
  // Sites whose first sample is not published yet.
  std::erase_if(records, [](const auto& record) { return record.second == Counters{}; });
  return records;
}

Records records_of(const HeapProfile& profile) {
  Records records;
  for (const HeapSite& site : profile.sites) {
    Counters& to = records[site.pcs];
    to[0] += site.sampled.in_use_objects;
    to[1] += site.sampled.in_use_bytes;
    to[2] += site.sampled.allocated_objects;
    to[3] += site.sampled.allocated_bytes;
  }
  return records;
}

std::vector<std::string> targets() { return builds_of({"heap"}, "DWELL_GO_HEAP"); }

class GoHeapProfile : public ::testing::TestWithParam<std::string> {};

TEST_P(GoHeapProfile, EqualsTheProgramsOwn) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Result<HeapProfile> profile = read_heap_profile(*runtime);
  ASSERT_TRUE(profile) << profile.error().what;
  std::optional<Collector> collector = read_collector(*runtime);
  ASSERT_TRUE(collector);
  target.write_line("account");
  ASSERT_TRUE(target.wait_for_output("end of account"));

  Records own = parse_profile(target.output());
  EXPECT_GT(own.size(), 3u);
  EXPECT_EQ(records_of(*profile), own);

  unsigned cycles, forced;
  unsigned long long pauses, last, end;
  std::size_t at = target.output().find("\ncollector ");
  ASSERT_NE(at, std::string::npos);
  ASSERT_EQ(std::sscanf(target.output().c_str() + at, "\ncollector %u %u %llu %llu %llu", &cycles, &forced,
                        &pauses, &last, &end),
            5);
  EXPECT_EQ(collector->cycles, cycles);
  EXPECT_EQ(collector->forced, forced);
  EXPECT_EQ(collector->pauses_ns, pauses);
  ASSERT_FALSE(collector->last.empty());
  EXPECT_EQ(collector->last[0].ns, last);
  EXPECT_EQ(collector->last[0].end_unix_ns, end);
  EXPECT_EQ(collector->percent, 100);
  EXPECT_FALSE(collector->limit);
  ASSERT_TRUE(collector->live_bytes && collector->goal_bytes);
  // 20,000 records of 512 bytes and their names, at least; the goal is twice of what lives, and some more.
  EXPECT_GT(*collector->live_bytes, 20'000u * 550);
  EXPECT_LT(*collector->live_bytes, 20'000u * 1000);
  EXPECT_GE(*collector->goal_bytes, 2 * *collector->live_bytes);
}

struct TracedCycle {
  double stopped_ms = 0;  // before and after it marked
  unsigned live_mb = 0;
};

// "gc 9 @0.112s 2%: 0.018+1.2+0.003 ms clock, ..., 14->15->13 MB, 27 MB goal, ..., 2 P (forced)"
std::vector<TracedCycle> parse_trace(const std::string& text) {
  std::vector<TracedCycle> cycles;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    double before, marking, after;
    std::size_t clock = line.find("%: "), heap = line.rfind("->");
    if (!line.starts_with("gc ") || clock == std::string::npos || heap == std::string::npos) continue;
    if (std::sscanf(line.c_str() + clock, "%%: %lf+%lf+%lf ms clock", &before, &marking, &after) != 3)
      continue;
    cycles.push_back({before + after, static_cast<unsigned>(std::stoul(line.substr(heap + 2)))});
  }
  return cycles;
}

TEST_P(GoHeapProfile, CollectsAsTheRuntimesTraceTells) {
  Program target({GetParam()}, {"GODEBUG=gctrace=1"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  std::optional<Collector> collector = read_collector(*runtime);
  ASSERT_TRUE(collector && collector->live_bytes);
  ASSERT_TRUE(target.wait_for_error("gc " + std::to_string(collector->cycles) + " @"));
  target.write_line("account");
  ASSERT_TRUE(target.wait_for_output("end of account"));

  std::vector<TracedCycle> traced = parse_trace(target.errors());
  ASSERT_EQ(traced.size(), collector->cycles) << target.errors();
  EXPECT_EQ(traced.back().live_mb, *collector->live_bytes >> 20);
  // The trace has the first two digits of each time, of whole microseconds.
  ASSERT_EQ(collector->last.size(), traced.size());
  for (std::size_t i = 0; i < traced.size(); ++i) {
    double ms = static_cast<double>(collector->last[traced.size() - 1 - i].ns) / 1e6;
    EXPECT_NEAR(ms, traced[i].stopped_ms, 0.1 * traced[i].stopped_ms + 0.002) << target.errors();
  }
}

TEST_P(GoHeapProfile, NamesTheCallSites) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Result<HeapProfile> profile = read_heap_profile(*runtime);
  ASSERT_TRUE(profile) << profile.error().what;
  std::int64_t in_records = 0, garbage_allocated = 0, garbage_in_use = 0;
  for (const HeapSite& site : profile->sites) {
    for (const GoCall& call : site.calls) {
      if (call.function == "main.newRecord") in_records += site.scaled.in_use_bytes;
      if (call.function == "main.garbage") garbage_allocated += site.scaled.allocated_bytes;
      if (call.function == "main.garbage") garbage_in_use += site.scaled.in_use_bytes;
    }
  }
  // Sampled, one in half a megabyte: about 20 samples of the records, 80 of the garbage.
  EXPECT_GT(in_records, 3'000'000);
  EXPECT_LT(in_records, 30'000'000);
  EXPECT_GT(garbage_allocated, 15'000'000);
  EXPECT_LT(garbage_in_use, garbage_allocated / 4);
}

INSTANTIATE_TEST_SUITE_P(Targets, GoHeapProfile, ::testing::ValuesIn(targets()), name_of_build);

TEST(GoHeapCommand, ShowsSitesAndCollector) {
  Program target({target_binary("go/heap")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string pid = std::to_string(target.pid());
  Finished text = run({dwell_binary(), "go", "-p", pid, "--heap"});
  EXPECT_EQ(text.exit, 0) << text.errors;
  EXPECT_NE(text.output.find("main.newRecord (heap.go:25) ← main.fill ← main.main"), std::string::npos)
      << text.output;
  EXPECT_NE(text.output.find("(10 asked for by the program)"), std::string::npos) << text.output;
  nlohmann::json json = nlohmann::json::parse(
      run({dwell_binary(), "go", "-p", pid, "--heap", "--json"}).output);
  EXPECT_EQ(json["collector"]["forced"], 10);
  EXPECT_EQ(json["heap"]["sample_bytes"], 512 * 1024);
  EXPECT_TRUE(json["no_heap"].is_null());
}

TEST(GoHeapProfileRefusal, SaysWhenTheProgramKeepsNone) {
  Program target({target_binary("go/quiet")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Result<HeapProfile> profile = read_heap_profile(*runtime);
  ASSERT_FALSE(profile);
  EXPECT_NE(profile.error().what.find("the program keeps none"), std::string::npos) << profile.error().what;
}

}  // namespace
}  // namespace dwell::testing
