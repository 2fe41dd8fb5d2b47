// SPDX-License-Identifier: Apache-2.0
// Processes of one program are added up, and each is still there.
#include <gmock/gmock.h>

#include "story_recording.h"
#include "userspace/memory/json.h"
#include "userspace/memory/processes_text.h"
#include "userspace/memory/program_groups.h"
#include "userspace/memory/report.h"
#include "userspace/memory/text.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr ProcessSlot kWorkers = 3, kOther = 4;  // workers are 1 to 3

// A master, three workers that keep sessions, two of them more each second, and a process of another program.
Recording prefork(const std::string& program = "id of server") {
  StoryRecording story;
  StackId session = story.stack({"create_session", "serve", "main"}), start = story.stack({"load_config", "main"});
  story.at(kSecond / 4).alloc(0x10, 500, start);
  for (ProcessSlot worker = 1; worker <= kOther; ++worker) story.fork_to(worker);
  for (std::uint64_t second = 1; second <= 20; ++second) {
    story.at(second * kSecond - kSecond / 4);
    for (ProcessSlot worker = 1; worker <= kOther; ++worker)
      if (worker != kWorkers || second == 1) story.alloc(0x1000 * second, worker == kOther ? 10 : 1000, session, 42, worker);
    if (second < 20) story.tick(second * kSecond);
  }
  Recording recording = story.end(20 * kSecond);
  for (ProcessSlot slot = 0; slot < kOther; ++slot) recording.processes[slot].program = program;
  recording.processes[kOther].program = "id of another";
  return recording;
}

MemoryReport summed(const Recording& recording, std::optional<ProcessSlot> process = std::nullopt) {
  MemoryFilter filter;
  filter.by_program = true;
  filter.process = process;
  return *memory_report(recording, filter);
}

const SiteReport* site(const MemoryReport& report, const std::string& function, ProcessSlot process) {
  for (const SiteReport& one : report.sites)
    if (one.stack.front().function == function && one.process == process) return &one;
  return nullptr;
}

TEST(Programs, EqualCallSitesOfTheWorkersOfOneProgramAreOneRow) {
  Recording recording = prefork();
  MemoryReport report = summed(recording);
  const SiteReport *all = site(report, "create_session", 1), *other = site(report, "create_session", kOther);
  if (!all) all = site(report, "create_session", 0);
  ASSERT_TRUE(all);
  ASSERT_TRUE(other) << "another program is another row";
  EXPECT_EQ(all->process, 0) << "named by the first of the program";
  EXPECT_EQ(all->figures.retained_bytes, 20'000 + 20'000 + 1000);
  EXPECT_EQ(all->figures.retained_blocks, 41);
  ASSERT_EQ(all->shares.size(), 3u) << "of those that have any of it";
  EXPECT_EQ(all->shares[0].figures.retained_bytes, 20'000);
  EXPECT_EQ(all->shares[2].process, kWorkers);
  EXPECT_EQ(all->shares[2].figures.retained_bytes, 1000);
  EXPECT_EQ(shares_text(all->shares), "3, 2 growing");
  EXPECT_TRUE(other->shares.empty());
  EXPECT_EQ(program_text(report, 0), "app (4 processes)");
}

TEST(Programs, SumsAndTheirPartsAgree) {
  Recording recording = prefork();
  MemoryReport apart = *memory_report(recording, {}), together = summed(recording);
  auto all = [](const MemoryReport& report, double MemoryFigures::*figure) {
    double sum = 0;
    for (const SiteReport& one : report.sites) sum += one.figures.*figure;
    return sum;
  };
  for (auto figure : {&MemoryFigures::retained_bytes, &MemoryFigures::allocated_bytes, &MemoryFigures::freed_bytes, &MemoryFigures::inherited_bytes}) {
    EXPECT_EQ(all(apart, figure), all(together, figure));
    for (const KindReport& total : together.totals) {
      double shares = 0;
      for (const ProcessShare& share : total.shares) shares += share.figures.*figure;
      if (!total.shares.empty()) {
        EXPECT_EQ(shares, total.figures.*figure);
      }
    }
  }
}

TEST(Programs, OneOfThemIsAPartOnDemand) {
  Recording recording = prefork();
  MemoryReport report = summed(recording, 2);
  for (const SiteReport& one : report.sites) EXPECT_EQ(one.process, 2);
  ASSERT_TRUE(site(report, "create_session", 2));
  EXPECT_EQ(site(report, "create_session", 2)->figures.retained_bytes, 20'000);
  EXPECT_TRUE(site(report, "create_session", 2)->shares.empty());
}

TEST(Programs, ProcessesOfWhichTheProgramIsNotKnownStayApart) {
  Recording recording = prefork("");
  MemoryReport report = summed(recording);
  EXPECT_FALSE(adds_up_processes(report));
  EXPECT_TRUE(site(report, "create_session", 2));
}

TEST(Programs, TheTextHasTheSumAndRanksProcesses) {
  Recording recording = prefork();
  std::string text = memory_text(summed(recording), {});
  EXPECT_THAT(text, HasSubstr("Heap of app (4 processes) grew"));
  EXPECT_THAT(text, HasSubstr("3, 2 growing"));
  EXPECT_THAT(text, HasSubstr("\nProcesses\n"));
  EXPECT_THAT(text, HasSubstr("app (43)"));
  EXPECT_THAT(memory_text(*memory_report(recording, {}), {}), Not(HasSubstr("growing")));
}

TEST(Programs, TheJsonHasTheSumsAndTheirShares) {
  Json json = by_program_json(summed(prefork()));
  ASSERT_EQ(json["totals"].size(), 1u) << "only what adds up several";
  EXPECT_EQ(json["totals"][0]["figures"]["retained_bytes"], 500 * 4 + 41'000);
  ASSERT_FALSE(json["sites"].empty());
  EXPECT_EQ(json["sites"][0]["processes"].size(), 3u);
  EXPECT_EQ(json["sites"][0]["processes"][0]["growth"], "steady");
}

TEST(Programs, AProcessIsFoundByItsPid) {
  Recording recording = prefork();
  EXPECT_EQ(*recorded_process(44, recording), 2);
  Result<ProcessSlot> none = recorded_process(4711, recording);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().exit, Exit::kUsage);
  EXPECT_THAT(none.error().hint, HasSubstr("42, 43, 44, 45, 46"));
}

}  // namespace
}  // namespace dwell
