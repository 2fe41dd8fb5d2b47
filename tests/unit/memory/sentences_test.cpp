// SPDX-License-Identifier: Apache-2.0
// Every sentence that the views of memory can print, in the situation that calls for it: read tests/golden/ui/sentences.txt and
// ask of each when it would be false.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/unit/memory/sample_reports.h"
#include "tests/unit/ui/golden.h"
#include "ui/live_line.h"
#include "userspace/base/text.h"
#include "userspace/memory/notes.h"
#include "userspace/memory/part.h"
#include "userspace/memory/text.h"
#include "userspace/recording/late_probes.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Lines that a situation brings, beside those that are always there.
class Sentences {
 public:
  void title(const std::string& text) { out_ += "\n== " + text + "\n"; }
  void add(const std::string& when, const std::string& text) {
    out_ += "-- " + when + "\n";
    for (std::string_view line : split(text, '\n'))
      if (!line.empty() && (!known_.contains(std::string(line)))) out_ += std::string(line) + "\n";
  }
  // Of lists, in which nothing is said twice.
  void item(const std::string& text) {
    if (items_.insert(text).second) out_ += text + "\n";
  }
  // These are not shown again.
  void know(const std::string& text) {
    for (std::string_view line : split(text, '\n')) known_.insert(std::string(line));
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
  std::set<std::string> known_, items_;
};

std::string text_of(const MemoryReport& report) { return memory_text(report, {.style = {}, .sites = 1, .stacks = 0}); }

void add_report(Sentences& all, const std::string& when, const std::function<void(MemoryReport&)>& change) {
  MemoryReport report = server_report();
  change(report);
  all.add(when, text_of(report));
}

void add_growth(Sentences& all) {
  all.title("how it grew");
  auto shape = [&](const char* when, GrowthPattern growth) {
    add_report(all, when, [&](MemoryReport& report) { report.totals[0].growth = growth; });
  };
  shape("in every fifth of the time by about the same", {GrowthShape::kSteady});
  shape("then level", {GrowthShape::kLevelled, 8 * kSecond});
  shape("most of it in less than a third of the time", {GrowthShape::kBursts});
  shape("faster and faster, say", {GrowthShape::kUneven});
  shape("too short to tell", {GrowthShape::kUnknown});
  auto figures = [&](const char* when, double allocated, double freed) {
    add_report(all, when, [&](MemoryReport& report) {
      report.totals.resize(1);
      report.totals[0].figures.allocated_bytes = allocated;
      report.totals[0].figures.freed_bytes = freed;
      report.totals[0].growth = {GrowthShape::kFell};
    });
  };
  figures("what was allocated was freed", 5e6, 5e6);
  figures("more was freed than allocated", 5e6, 9e6);
  add_report(all, "some sites grew, others shrank", [](MemoryReport& report) {
    report.sites[1].figures.freed_bytes = 3e7;
    report.totals[0].figures.freed_bytes += 3e7;
  });
  add_report(all, "of one thread", [](MemoryReport& report) { report.thread = 4243; });
}

void add_process(Sentences& all) {
  all.title("the process as a whole");
  auto process = [&](const char* when, const std::function<void(ProcessBalance&)>& change) {
    add_report(all, when, [&](MemoryReport& report) { change(report.balances[0]); });
  };
  process("level", [](ProcessBalance& of) {
    of.before = of.after;
    of.parts = {{memory::Part::kLive, 1 << 20}, {memory::Part::kFree, -(1 << 20)}};
  });
  process("it shrank, and the heap is not known", [](ProcessBalance& of) {
    std::swap(of.before, of.after);
    of.live_change.reset();
    of.parts = {{memory::Part::kAnonymous, of.change()}};
    of.no_parts = "the heap of libjemalloc.so.2 could not be read";
  });
  process("only sums are known", [](ProcessBalance& of) {
    of.has_parts = false;
    of.account.reset();
    of.no_parts = "more than 2 GB of anonymous memory is not walked while recording; dwell memory does";
  });
  process("it ended", [](ProcessBalance& of) { of.last_known_ns = 59 * kSecond; });
  process("some of it is in swap", [](ProcessBalance& of) { of.swapped_after = 5 << 20; });
  process("it went on while it was read", [](ProcessBalance& of) { of.account->parts[static_cast<std::size_t>(memory::Part::kUnexplained)] = -(4 << 20); });
  process("attaching took long", [](ProcessBalance& of) { of.early_ns = 20 * kSecond; });
  for (LimitKind kind : {LimitKind::kAddressSpace, LimitKind::kData, LimitKind::kMachine})
    process("another limit is nearer", [&](ProcessBalance& of) { of.time_left->limit.kind = kind; });
  process("the kernel has ended processes", [](ProcessBalance& of) { of.limits[0].oom_kills = 2; });
  auto older = [&](const char* when, const OlderFrees& frees) {
    add_report(all, when, [&](MemoryReport& report) { report.totals[0].older = frees; });
  };
  older("as many old blocks were freed as new ones came", {92'000, 5e5, true});
  older("fewer old blocks were freed", {92'000, 3e7, false});
  older("more old blocks were freed", {92'000, -3e7, false});
  older("old blocks were freed, of unknown size", {92'000, std::nullopt, false});
  MemoryReport touched;
  touched.balances = {server_report().balances[0]};
  all.add("it grew without any allocation", text_of(touched));
}

void add_nothing(Sentences& all) {
  all.title("nothing there");
  all.add("nothing happened", text_of(MemoryReport{}));
  MemoryReport report;
  report.losses = {{"allocations lost", 5, kSecond, kSecond, "these blocks are not counted"}};
  all.add("events were lost", text_of(report));
  report = {};
  report.unseen = {{0, "memory", "malloc in /usr/lib/libc.so.6", "the kernel refuses a probe"}};
  all.add("malloc is not probed", text_of(report));
  auto freed = [](MemoryReport& of) {
    for (SiteReport& site : of.sites) site.figures.retained_bytes = site.figures.retained_blocks = 0;
  };
  add_report(all, "all was freed", [&](MemoryReport& of) {
    freed(of);
    for (KindReport& total : of.totals) total.figures.retained_bytes = total.figures.retained_blocks = 0;
  });
  add_report(all, "the filters leave only what was freed", [&](MemoryReport& of) {
    freed(of);
    of.left_out = {of.totals[0]};
  });
  add_report(all, "sorted by temporary blocks, of which there are none", [](MemoryReport& of) {
    of.sort = SortKey::kTemporary;
    for (SiteReport& site : of.sites) site.figures.temporary_blocks = 0;
  });
}

void add_doubts(Sentences& all) {
  all.title("what makes figures uncertain");
  add_report(all, "a function is not probed", [](MemoryReport& report) {
    report.unseen = {{0, "memory", "malloc in /usr/lib/libc.so.6", "the kernel refuses a probe"}};
  });
  add_report(all, "it was cut off", [](MemoryReport& report) { report.ended = false; });
  add_report(all, "frees were lost", [](MemoryReport& report) {
    report.losses = {{"frees lost", 12, 3 * kSecond, 4 * kSecond, "at most 12 blocks (about 3.1 KB) look retained and are not"}};
  });
  add_report(all, "the program was started by dwell", [](MemoryReport& report) {
    report.info.started_by_dwell = true;
    report.surprises.cache_frees = 30;
  });
  add_report(all, "the ledger met what it did not understand",
             [](MemoryReport& report) { report.surprises = {37, 2, 3, 4, 0}; });
  add_report(all, "sampled", [](MemoryReport& report) { report.info.sample_period_bytes = 65536; });
  add_report(all, "all stacks are whole and named", [](MemoryReport& report) { report.stacks = {1, {}, 0, 50}; });
  add_report(all, "a part of the time", [](MemoryReport& report) { report.to_ns = 30 * kSecond; });
}

void add_cost(Sentences& all) {
  all.title("cost");
  add_report(all, "all is known", [](MemoryReport&) {});
  add_report(all, "the kernel does not count", [](MemoryReport& report) { report.cost->bpf_ns.reset(); });
  add_report(all, "the target slept", [](MemoryReport& report) { report.cost->target_cpu_percent.reset(); });
}

void add_children(Sentences& all) {
  all.title("children");
  ChildCounts counts;
  counts.forked = 3;
  counts.spawned = 1;
  for (const std::string& words : children_of(counts).words) all.add("not followed", words);
  counts.asked = true;
  counts.followed = 2;
  for (const std::string& words : children_of(counts).words) all.add("followed", words);
}

void add_notes(Sentences& all) {
  all.title("notes");
  Recording recording;
  recording.info.sample_period_bytes = 65536;
  recording.skipped_chunks = 1;
  MemoryTick tick;
  tick.end_ns = kSecond;
  tick.surprises = {1, 2, 3, 4, 0};
  memory_of(recording).ticks = {tick};
  for (const std::string& note : notes_of(recording, {0, 1, 0, kSecond})) all.item(note);
  all.title("losses");
  for (int kind = 0; kind <= static_cast<int>(kLateProbes); ++kind) recording.losses.push_back({kSecond, static_cast<LossKind>(kind), 1});
  for (const LossReport& loss : losses_of(recording, {0, 1, 0, kSecond}, 64))
    all.item(fmt::format("{}: {}", loss.name, loss.consequence));
  all.title("why a stack is cut");
  for (int end = 1; end < 80; ++end) all.item(incomplete_because(static_cast<std::uint8_t>(end)));
}

void add_differences(Sentences& all) {
  all.title("differences");
  MemoryTextOptions options{.style = {}, .sites = 0, .stacks = 0};
  MemoryDiff diff = server_diff();
  all.add("of two runs", memory_diff_text(diff, options));
  all.know(memory_diff_text(diff, options));
  diff.totals[0].after = diff.totals[0].before;
  all.add("that are alike", memory_diff_text(diff, options));
  diff = server_diff();
  diff.relation = DiffRelation::kOneProcess;
  all.add("of two windows of one process", memory_diff_text(diff, options));
  diff.totals[0].after.retained_bytes = 0;
  all.add("of which the second did not grow", memory_diff_text(diff, options));
  all.add("of nothing", memory_diff_text(MemoryDiff{}, options));
}

void add_live_line(Sentences& all) {
  all.title("the live line");
  LiveFigures figures;
  figures.activity = "attaching";
  all.add("before the last probe is in place", live_line_text(figures, {}));
  figures = {};
  figures.elapsed_ns = 2 * kSecond;
  figures.live_bytes = 4096;
  figures.events_per_second = 12;
  all.add("at first", live_line_text(figures, {}));
  figures.growth_per_minute = 61440;
  figures.cost_percent = 3.25;
  all.add("then", live_line_text(figures, {}));
  figures.partial = true;
  all.add("malloc is not probed", live_line_text(figures, {}));
  figures.losses = 7;
  all.add("events were lost", live_line_text(figures, {}));
}

TEST(Sentences, AreThese) {
  Sentences all;
  all.add("a report to which nothing special happened", text_of(server_report()));
  all.know(text_of(server_report()));
  add_growth(all);
  add_process(all);
  add_nothing(all);
  add_doubts(all);
  add_cost(all);
  add_children(all);
  add_notes(all);
  add_differences(all);
  add_live_line(all);
  expect_golden("sentences.txt", all.text());
}

}  // namespace
}  // namespace dwell
