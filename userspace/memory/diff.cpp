// SPDX-License-Identifier: Apache-2.0
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>
#include <absl/hash/hash.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <tuple>

#include "userspace/base/text.h"
#include "userspace/memory/report.h"

namespace dwell {

namespace {

std::set<std::string> rebuilt_modules(const Recording& before, const Recording& after) {
  std::map<std::string, std::string> builds;
  for (const Module& module : before.modules) builds.try_emplace(module.path, module.build_id);
  std::set<std::string> rebuilt;
  for (const Module& module : after.modules) {
    auto it = builds.find(module.path);
    if (it != builds.end() && it->second != module.build_id) rebuilt.insert(module.path);
  }
  return rebuilt;
}

// Numbers for frames, the same in both recordings for what reads the same in both.
class FrameNumbers {
 public:
  explicit FrameNumbers(const std::set<std::string>& rebuilt) : rebuilt_(rebuilt) {}

  // What stood at an address may be another source by then.
  void forget_sources() { parts_.clear(); }

  void append(const ReportStack& stack, std::vector<std::uint32_t>& numbers) {
    for (std::uint32_t part : stack.parts()) {
      auto [at, fresh] = parts_.try_emplace(std::pair(stack.source(), part));
      if (fresh)
        for (const ReportFrame& frame : stack.source()->frames(part)) at->second.push_back(number(frame));
      numbers.insert(numbers.end(), at->second.begin(), at->second.end());
    }
  }

 private:
  std::uint32_t number(const ReportFrame& frame) {
    std::uint32_t line = rebuilt_.contains(frame.module) ? 0 : frame.line;
    return frames_.try_emplace(std::tuple(frame.function, frame.file, line, frame.module), frames_.size()).first->second;
  }

  const std::set<std::string>& rebuilt_;
  absl::flat_hash_map<std::pair<const FrameSource*, std::uint32_t>, absl::InlinedVector<std::uint32_t, 2>> parts_;
  absl::flat_hash_map<std::tuple<std::string, std::string, std::uint32_t, std::string>, std::uint32_t> frames_;
};

// Call sites of both recordings: those that read the same have one row.
class RowTable {
 public:
  explicit RowTable(const std::set<std::string>& rebuilt) : numbers_(rebuilt), rows_(0, Same{keys_}, Same{keys_}) {}
  RowTable(const RowTable&) = delete;
  RowTable& operator=(const RowTable&) = delete;

  void forget_sources() { numbers_.forget_sources(); }

  std::uint32_t row_of(const SiteReport& site) {
    auto [why, fresh] = incomplete_.try_emplace(site.incomplete, incomplete_.size());
    auto row = static_cast<std::uint32_t>(keys_.begins.size() - 1);
    keys_.numbers.push_back(static_cast<std::uint32_t>(site.kind));
    keys_.numbers.push_back(why->second);
    numbers_.append(site.stack, keys_.numbers);
    keys_.begins.push_back(keys_.numbers.size());
    auto [known, added] = rows_.insert(row);
    if (added) return row;
    keys_.begins.pop_back();
    keys_.numbers.resize(keys_.begins.back());
    return *known;
  }

 private:
  struct Keys {
    std::vector<std::uint32_t> numbers;  // of all rows, one after the other
    std::vector<std::size_t> begins{0};
    std::span<const std::uint32_t> of(std::uint32_t row) const {
      return std::span(numbers).subspan(begins[row], begins[row + 1] - begins[row]);
    }
  };
  struct Same {
    const Keys& keys;
    static std::string_view bytes_of(std::span<const std::uint32_t> key) {
      return {reinterpret_cast<const char*>(key.data()), key.size_bytes()};
    }
    std::size_t operator()(std::uint32_t row) const { return absl::HashOf(bytes_of(keys.of(row))); }
    bool operator()(std::uint32_t a, std::uint32_t b) const { return std::ranges::equal(keys.of(a), keys.of(b)); }
  };

  FrameNumbers numbers_;
  absl::flat_hash_map<std::string, std::uint32_t> incomplete_;
  Keys keys_;
  absl::flat_hash_set<std::uint32_t, Same, Same> rows_;
};

void add(MemoryFigures& to, const MemoryFigures& from) {
  for (auto figure : {&MemoryFigures::retained_bytes, &MemoryFigures::retained_blocks, &MemoryFigures::allocated_bytes,
                      &MemoryFigures::allocations, &MemoryFigures::freed_bytes, &MemoryFigures::frees,
                      &MemoryFigures::temporary_blocks, &MemoryFigures::temporary_bytes, &MemoryFigures::peak_bytes,
                      &MemoryFigures::peak_blocks, &MemoryFigures::inherited_bytes, &MemoryFigures::inherited_blocks,
                      &MemoryFigures::dropped_bytes, &MemoryFigures::dropped_blocks})
    to.*figure += from.*figure;
  to.retained_error = std::hypot(to.retained_error, from.retained_error);
  if (from.growth_per_minute) to.growth_per_minute = to.growth_per_minute.value_or(0) + *from.growth_per_minute;
}

bool unchanged(const MemoryDiff& diff, const DiffSite& site) {
  return diff.change(site) == 0 && site.after.retained_blocks == site.before.retained_blocks;
}

bool first_in_order(const MemoryDiff& diff, const DiffSite& a, const DiffSite& b) {
  double change_a = diff.change(a), change_b = diff.change(b);
  if (change_a != change_b) return change_a > change_b;
  if (a.stack < b.stack) return true;
  if (b.stack < a.stack) return false;
  return a.kind < b.kind;
}

class DiffBuilder {
 public:
  explicit DiffBuilder(std::set<std::string> rebuilt) : rebuilt_(std::move(rebuilt)), rows_(rebuilt_) {}

  // `in` and `figures` say which of both recordings the report is of.
  void add_report(const MemoryReport& report, bool DiffSite::*in, MemoryFigures DiffSite::*figures) {
    for (const SiteReport& site : report.sites) {
      std::uint32_t number = rows_.row_of(site);
      if (number == sites_.size()) sites_.emplace_back();
      DiffSite& row = sites_[number];
      if (row.stack.empty() || in == &DiffSite::in_after) row.stack = site.stack;
      row.kind = site.kind;
      row.*in = true;
      add(row.*figures, site.figures);
    }
    rows_.forget_sources();
    for (const KindReport& total : report.totals) {
      DiffSite& row = totals_[total.kind];
      row.kind = total.kind;
      row.*in = true;
      add(row.*figures, total.figures);
    }
  }

  void finish(MemoryDiff& diff, DiffRows rows) {
    auto changed = std::stable_partition(sites_.begin(), sites_.end(),
                                         [&](const DiffSite& site) { return !unchanged(diff, site); });
    if (rows == DiffRows::kAll)
      diff.unchanged.assign(std::make_move_iterator(changed), std::make_move_iterator(sites_.end()));
    sites_.erase(changed, sites_.end());
    diff.sites = std::move(sites_);
    std::ranges::sort(diff.sites, [&](const DiffSite& a, const DiffSite& b) { return first_in_order(diff, a, b); });
    for (auto& [kind, total] : totals_) diff.totals.push_back(std::move(total));
    for (const std::string& path : rebuilt_)
      diff.notes.push_back(fmt::format("{} is another build in each: its functions are compared by name, without lines", path));
  }

 private:
  std::set<std::string> rebuilt_;
  RowTable rows_;
  std::vector<DiffSite> sites_;  // by row
  std::map<MemoryKind, DiffSite> totals_;
};

// The first process is the one that was asked for.
const ProcessInfo& target_of(const Recording& recording) {
  static const ProcessInfo unknown;
  return recording.processes.empty() ? unknown : recording.processes.front();
}

// The monotonic clock begins with the boot: where it began tells two boots of a machine apart.
bool same_boot(const RecordingInfo& a, const RecordingInfo& b) {
  constexpr std::int64_t kClockMayMoveNs = 60'000'000'000;
  auto boot = [](const RecordingInfo& info) { return static_cast<std::int64_t>(info.start_unix_ns - info.start_monotonic_ns); };
  return a.start_monotonic_ns && b.start_monotonic_ns && std::abs(boot(a) - boot(b)) < kClockMayMoveNs;
}

DiffRelation relation_of(const Recording& before, const Recording& after) {
  const ProcessInfo &a = target_of(before), &b = target_of(after);
  bool same = a.pid != 0 && a.pid == b.pid && a.command_line == b.command_line && before.info.host == after.info.host;
  if (same && same_boot(before.info, after.info)) return DiffRelation::kOneProcess;
  return a.name == b.name ? DiffRelation::kTwoRuns : DiffRelation::kDifferentPrograms;
}

std::uint64_t duration_of(const Recording& recording) { return recording.end_ns() - std::min(recording.start_ns(), recording.end_ns()); }

std::string process_name(const ProcessInfo& process) { return fmt::format("{} ({})", process.name, process.pid); }

// What makes two recordings hard to compare comes before what each says of itself.
// A note on one recording names it, and what is so of both is said once.
void add_notes(std::vector<std::string>& notes, std::string_view of, const std::vector<std::string>& more) {
  for (const std::string& note : more) {
    auto same = std::ranges::find(notes, "before: " + note);
    if (same != notes.end()) *same = "both: " + note;
    else notes.push_back(fmt::format("{}: {}", of, note));
  }
}

void note_differences(MemoryDiff& diff) {
  constexpr double kAlike = 1.25;
  double before = static_cast<double>(diff.before_duration_ns), after = static_cast<double>(diff.after_duration_ns);
  if (diff.relation == DiffRelation::kDifferentPrograms)
    diff.notes.push_back(fmt::format("these are different programs: {} and {}", diff.before_process, diff.after_process));
  if (diff.relation == DiffRelation::kOneProcess) {
    diff.notes.push_back(fmt::format("both recordings are of {}, so rates are compared: each counts only what it saw being allocated",
                                     diff.after_process));
  } else if (before > kAlike * after || after > kAlike * before) {
    diff.notes.push_back(fmt::format("the recordings have different lengths, {} and {}: the longer one had more time to grow",
                                     human_duration(diff.before_duration_ns), human_duration(diff.after_duration_ns)));
  }
}

}  // namespace

std::string_view name_of(DiffRelation relation) {
  switch (relation) {
    case DiffRelation::kTwoRuns: return "two runs";
    case DiffRelation::kOneProcess: return "one process";
    case DiffRelation::kDifferentPrograms: return "different programs";
  }
  return "two runs";
}

std::optional<ResidentSum> resident_at_end(const std::vector<ProcessBalance>& balances) {
  ResidentSum sum;
  for (const ProcessBalance& balance : balances) {
    if (balance.last_known_ns != 0) continue;
    sum.bytes += balance.after;
    ++sum.processes;
  }
  if (sum.processes == 0) return std::nullopt;
  return sum;
}

Result<MemoryDiff> memory_diff(RecordingRef before, RecordingRef after, const MemoryFilter& filter,
                               DiffRows rows) {
  // A site may be small in one recording and large in the other: min_bytes is for what it grew.
  MemoryFilter all_sizes = filter;
  all_sizes.min_bytes = 0;
  MemoryDiff diff;
  diff.relation = relation_of(*before, *after);
  diff.before = before->info;
  diff.after = after->info;
  diff.before_process = process_name(target_of(*before));
  diff.after_process = process_name(target_of(*after));
  diff.before_duration_ns = duration_of(*before);
  diff.after_duration_ns = duration_of(*after);
  note_differences(diff);
  DiffBuilder builder(rebuilt_modules(*before, *after));
  // Each report is gone before the next one is made: they may be large.
  auto add = [&](const RecordingRef& recording, const char* name, bool DiffSite::*in,
                 MemoryFigures DiffSite::*figures, std::vector<ProcessBalance>& balances) -> Result<void> {
    Result<MemoryReport> report = memory_report(recording, all_sizes);
    if (!report) return report.error();
    add_notes(diff.notes, name, report->notes);
    builder.add_report(*report, in, figures);
    balances = std::move(report->balances);
    return {};
  };
  Result<void> added = add(before, "before", &DiffSite::in_before, &DiffSite::before, diff.before_balances);
  if (added) added = add(after, "after", &DiffSite::in_after, &DiffSite::after, diff.after_balances);
  if (!added) return added.error();
  builder.finish(diff, rows);
  std::erase_if(diff.sites, [&](const DiffSite& site) {
    return std::abs(diff.change(site)) < static_cast<double>(filter.min_bytes);
  });
  return diff;
}

}  // namespace dwell
