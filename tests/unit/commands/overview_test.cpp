// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/overview.h"

#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "userspace/memory/findings.h"

namespace dwell {
namespace {

Overview sample() {
  Overview overview;
  overview.process.pid = 812;
  overview.process.name = "server\n";
  overview.process.command_line = "/usr/sbin/server --port 80";
  overview.running_ns = 3'600'000'000'000;
  overview.took_ns = 900'000'000;
  Finding waste{FindingWeight::kWaste, false, "80.0 MB of 200.0 MB RSS are free memory that the allocator keeps",
                {"malloc_trim(0) would give back about 70.0 MB"}, "dwell memory 812"};
  Finding deadlock{FindingWeight::kStuck, true, "deadlock (certain): 2 threads wait for each other", {"one holds a, two holds b"}, "dwell threads 812"};
  Finding likely{FindingWeight::kStuck, false, "owner gone (likely): the holder of a lock is no more", {}, "dwell threads 812"};
  overview.subjects = {{"memory", {"RSS 200.0 MB", "", {waste}}}, {"threads", {"3 threads", "", {likely, deadlock}}}, {"descriptors", {"", "descriptors: no permission", {}}}};
  return overview;
}

TEST(Overview, TheGravestComesFirstAndWhatIsProvedBeforeWhatIsLikely) {
  Overview overview = sample();
  std::vector<const Finding*> findings = overview.findings();
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_TRUE(findings[0]->proved);
  EXPECT_EQ(findings[1]->headline.substr(0, 10), "owner gone");
  EXPECT_EQ(findings[2]->weight, FindingWeight::kWaste);
  EXPECT_TRUE(overview.proved());
}

TEST(Overview, AsText) {
  EXPECT_EQ(overview_text(sample(), {}),
            "server\\x0a (812)\n"
            "  /usr/sbin/server --port 80\n"
            "  running for 1 h 0 min\n"
            "\n"
            "1  deadlock (certain): 2 threads wait for each other\n"
            "     one holds a, two holds b\n"
            "     dwell threads 812\n"
            "2  owner gone (likely): the holder of a lock is no more\n"
            "     dwell threads 812\n"
            "3  80.0 MB of 200.0 MB RSS are free memory that the allocator keeps\n"
            "     malloc_trim(0) would give back about 70.0 MB\n"
            "     dwell memory 812\n"
            "\n"
            "Looked at in 900.0 ms, without a probe; the process was not stopped:\n"
            "  memory      RSS 200.0 MB\n"
            "  threads     3 threads\n"
            "  not looked at: descriptors: no permission\n");
}

// A service in which much is wrong, as a screen shows it: what does not fit goes on below its own beginning.
TEST(Overview, OnScreensOf80And140Columns) {
  Overview overview = sample();
  overview.process.container = "3f4e1a2b5c6d7e8f";
  overview.children = {{813, "worker"}, {814, "worker"}, {815, "logger"}};
  Finding pool{FindingWeight::kLimit, false, "4,012 of 4,096 file descriptors are open (98%)",
               {"3,871 of them are TCP sockets in CLOSE_WAIT to 10.0.0.7:5432, the oldest for 2 h 11 min: the program has not closed them"}, "dwell files 812"};
  Finding leak{FindingWeight::kPileUp, false, "18.2 MB in 14,233 blocks are leaked: nothing points to them any more",
               {"22% of the bytes in live blocks", "most of it: 9,120 app::Session and what they hold"}, "dwell memory 812 --leaks"};
  overview.subjects[2].found = {"4,012 open: 3,871 TCP sockets, 120 files, 14 pipes, 4 eventfds, 3 epolls", "", {pool}};
  overview.subjects[0].found.looked_at = "RSS 200.0 MB: 84.1 MB live blocks, 80.0 MB free inside the allocator, 12.0 MB of thread stacks, 23.9 MB of files, nothing unexplained; 18.2 MB in 14,233 blocks leaked";
  overview.subjects[0].found.findings.push_back(leak);
  overview.subjects[1].found.not_seen = "stacks of 2 threads: they ended meanwhile";
  for (std::size_t columns : {80, 140}) expect_golden("overview_" + std::to_string(columns) + ".txt", overview_text(overview, {columns, false, true}));
}

TEST(Overview, NothingFoundIsAnAnswer) {
  Overview overview = sample();
  for (SubjectFindings& subject : overview.subjects) subject.found.findings.clear();
  EXPECT_NE(overview_text(overview, {}).find("Nothing wrong was found.\n"), std::string::npos);
  EXPECT_EQ(overview_json(overview)["findings"].size(), 0u);
  EXPECT_FALSE(overview.proved());
}

// ---- memory ----

memory::MemoryLook look(std::uint64_t resident_mb, std::int64_t free_mb) {
  memory::MemoryLook look;
  look.account.resident = resident_mb << 20;
  look.account.parts[static_cast<std::size_t>(memory::Part::kFree)].resident = free_mb << 20;
  return look;
}

TEST(MemoryFindings, FreeMemoryMattersOnlyWhereItIsMuch) {
  EXPECT_TRUE(findings_of(look(200, 40), {}).findings.empty()) << "below a quarter of RSS";
  EXPECT_TRUE(findings_of(look(80, 60), {}).findings.empty()) << "below 64 MB";
  EXPECT_EQ(findings_of(look(200, 70), {}).findings.size(), 1u);
}

TEST(MemoryFindings, FragmentationIsToldWhereLittleOfTheFreeMemoryCanBeGivenBack) {
  memory::MemoryLook fragmented = look(200, 90);
  memory::HeapLook& heap = fragmented.heaps.emplace_back();
  heap.inventory.pinned_bytes = 80 << 20;
  heap.inventory.pins = {{512, 640, 20'000, 20'000, 70 << 20}};
  heap.inventory.trimmable = 5 << 20;
  std::vector<std::string> evidence = findings_of(fragmented, {}).findings.at(0).evidence;
  ASSERT_EQ(evidence.size(), 2u);
  EXPECT_EQ(evidence[1], "fragmentation: 80.0 MB can't be given back, because live blocks lie on the same pages, most of it beside 20,000 blocks of 512 B to 640 B");
  heap.inventory.pinned_bytes = 1 << 20, heap.inventory.trimmable = 85 << 20;
  EXPECT_EQ(findings_of(fragmented, {}).findings.at(0).evidence.size(), 1u) << "nearly all of it can be given back";
}

TEST(MemoryFindings, LeaksMatterWhereTheyAreManyAndAShareOfTheHeap) {
  auto leaks = [](std::uint64_t blocks, std::uint64_t bytes, std::uint64_t live_bytes) {
    memory::reach::LeakReport report;
    report.lost_blocks = blocks, report.lost_bytes = bytes, report.live_bytes = live_bytes;
    report.groups = {{"text", false, false, 1000, blocks, bytes, 0, 0, {}}};
    return report;
  };
  auto found = [](const memory::reach::LeakReport& report) { return findings_of(look(200, 0), {}, &report); };
  EXPECT_TRUE(found(leaks(500, 60 << 10, 1 << 20)).findings.empty()) << "below 64 KB";
  EXPECT_TRUE(found(leaks(500, 900 << 10, 100 << 20)).findings.empty()) << "below 1 % of the heap";
  EXPECT_TRUE(found(leaks(1, 10 << 20, 100 << 20)).findings.empty()) << "one block may be held by a pointer that is hidden";
  Findings some = found(leaks(680, 680'000, 1'400'000));
  ASSERT_EQ(some.findings.size(), 1u);
  EXPECT_EQ(some.findings[0].headline, "664.1 KB in 680 blocks are leaked: nothing points to them any more");
  EXPECT_EQ(some.findings[0].evidence.size(), 2u);
  EXPECT_NE(some.looked_at.find("; 664.1 KB in 680 blocks leaked"), std::string::npos);
  EXPECT_NE(found(leaks(0, 0, 1'400'000)).looked_at.find("; no leak"), std::string::npos);
  memory::reach::LeakReport unsettled = leaks(0, 0, 1000);
  unsettled.unsettled = "its pointers move";
  EXPECT_EQ(found(unsettled).looked_at.find("leak"), std::string::npos);
}

TEST(MemoryFindings, TheTightestLimitOfAllControlGroupsCounts) {
  std::vector<MemoryLimit> roomy = {{"/a", 1000, 899, 0}}, full = {{"/a", 1000, 900, 2}};
  EXPECT_TRUE(findings_of(look(1, 0), roomy).findings.empty());
  Findings found = findings_of(look(1, 0), full);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(found.findings[0].weight, FindingWeight::kLimit);
  EXPECT_EQ(found.findings[0].evidence.size(), 2u) << "the kernel has ended processes in it";
}

TEST(MemoryLimits, OfAGroupAndItsAncestors) {
  std::map<std::string, std::string> files = {
      {"/a/b/memory.max", "max\n"},       {"/a/b/memory.current", "500\n"},
      {"/a/memory.max", "1000\n"},        {"/a/memory.current", "800\n"},
      {"/a/memory.stat", "anon 600\nfile 200\ninactive_file 150\n"}, {"/a/memory.events", "low 0\noom 3\noom_kill 1\n"}};
  auto read = [&](const std::string& path) -> std::optional<std::string> {
    auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
  auto limits = limits_of_group({"/a/b"}, read);
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].group, "/a");
  EXPECT_EQ(limits[0].in_use, 650u);
  EXPECT_EQ(limits[0].oom_kills, 1u);
  EXPECT_TRUE(limits_of_group({"/"}, read).empty());
  EXPECT_TRUE(limits_of_group({""}, read).empty());
}

// The files of a hierarchy, by their paths below its root.
ReadGroupFile files_in(std::map<std::string, std::string> files) {
  return [files = std::move(files)](const std::string& path) -> std::optional<std::string> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(MemoryLimits, WhereTheGroupIsSlowedDownIsALimitToo) {
  auto limits = limits_of_group({"/a/b"}, files_in({{"/a/b/memory.max", "2000\n"}, {"/a/b/memory.high", "max\n"}, {"/a/b/memory.current", "500\n"},
                                                           {"/a/memory.max", "max\n"}, {"/a/memory.high", "1000\n"}, {"/a/memory.current", "990\n"},
                                                           {"/a/memory.events", "high 7\nmax 0\noom_kill 0\n"}}));
  ASSERT_EQ(limits.size(), 2u);
  EXPECT_EQ(limits[0].file, "memory.high");
  EXPECT_TRUE(limits[0].throttles());
  EXPECT_EQ(limits[0].high, 7u);
  EXPECT_EQ(limits[1].limit, 2000u);
  Findings found = findings_of(look(1, 0), limits);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_NE(found.findings[0].headline.find("before it is slowed down"), std::string::npos);
  EXPECT_EQ(found.findings[0].evidence[1], "the kernel has slowed it down 7 times");
}

TEST(MemoryLimits, OfVersion1) {
  std::map<std::string, std::string> files = {
      {"/a/b/memory.limit_in_bytes", "9223372036854771712\n"}, {"/a/b/memory.usage_in_bytes", "500\n"}, {"/a/b/memory.stat", "cache 9\nhierarchical_memory_limit 1000\n"},
      {"/a/memory.limit_in_bytes", "1000\n"}, {"/a/memory.usage_in_bytes", "800\n"}, {"/a/memory.failcnt", "5\n"},
      {"/a/memory.stat", "inactive_file 1\nhierarchical_memory_limit 1000\ntotal_inactive_file 150\n"},
      {"/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"}};
  auto limits = limits_of_group({"/a/b", true}, files_in(files));
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].group, "/a");
  EXPECT_EQ(limits[0].file, "memory.limit_in_bytes");
  EXPECT_EQ(limits[0].in_use, 650u);
  EXPECT_EQ(limits[0].max, 5u);
  EXPECT_EQ(limits[0].oom_kills, 2u);
  // The group above cannot be read: the kernel tells its limit all the same.
  for (const char* name : {"limit_in_bytes", "usage_in_bytes", "stat"}) files.erase(std::string("/a/memory.") + name);
  limits = limits_of_group({"/a/b", true}, files_in(files));
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].file, "hierarchical_memory_limit");
  EXPECT_EQ(limits[0].limit, 1000u);
  EXPECT_EQ(limits[0].in_use, 500u);
}

TEST(MemoryLimits, OfAContainerThatSeesItsGroupAsTheRoot) {
  auto limits = limits_of_group({"/docker/abc", true}, files_in({{"/memory.limit_in_bytes", "1000\n"}, {"/memory.usage_in_bytes", "800\n"}}));
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].group, "/");
  EXPECT_TRUE(limits_of_group({"/docker/abc", true}, files_in({{"/memory.limit_in_bytes", "9223372036854771712\n"}, {"/memory.usage_in_bytes", "800\n"}})).empty());
}

TEST(MemoryLimits, AreOfTheVersionThatAccountsForMemory) {
  EXPECT_EQ(group_in("0::/new\n"), (MemoryGroup{"/new", false}));
  EXPECT_EQ(group_in("12:memory:/old\n0::/new\n"), (MemoryGroup{"/old", true}));
  EXPECT_EQ(group_in("0::/new\n3:cpuset:/x\n12:memory:/old:er\n"), (MemoryGroup{"/old:er", true}));
  EXPECT_EQ(group_in("3:cpuset:/x\n"), MemoryGroup());
}

}  // namespace
}  // namespace dwell
