// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "userspace/views/memory_report.h"
#include "userspace/views/profile_diff.h"

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

std::string key_of(const SiteReport& site, const std::set<std::string>& rebuilt) {
  std::string key(1, static_cast<char>('0' + static_cast<int>(site.kind)));
  for (const ReportFrame& frame : site.stack) {
    std::uint32_t line = rebuilt.contains(frame.module) ? 0 : frame.line;
    key += fmt::format("\n{}\n{}\n{}\n{}", frame.function, frame.file, line, frame.module);
  }
  return key + site.incomplete;
}

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

double grown(const DiffSite& site) { return site.after.retained_bytes - site.before.retained_bytes; }

bool unchanged(const DiffSite& site) {
  return grown(site) == 0 && site.after.retained_blocks == site.before.retained_blocks;
}

bool first_in_order(const DiffSite& a, const DiffSite& b) {
  if (grown(a) != grown(b)) return grown(a) > grown(b);
  auto text = [](const ReportFrame& frame) { return std::tie(frame.function, frame.file, frame.line, frame.module, frame.offset); };
  if (std::ranges::lexicographical_compare(a.stack, b.stack, std::ranges::less(), text, text)) return true;
  if (std::ranges::lexicographical_compare(b.stack, a.stack, std::ranges::less(), text, text)) return false;
  return a.kind < b.kind;
}

class DiffBuilder {
 public:
  explicit DiffBuilder(std::set<std::string> rebuilt) : rebuilt_(std::move(rebuilt)) {}

  // `in` and `figures` say which of both recordings the report is of.
  void add_report(const MemoryReport& report, bool DiffSite::*in, MemoryFigures DiffSite::*figures) {
    for (const SiteReport& site : report.sites) {
      DiffSite& row = sites_[key_of(site, rebuilt_)];
      if (row.stack.empty() || in == &DiffSite::in_after) row.stack = site.stack;
      row.kind = site.kind;
      row.*in = true;
      add(row.*figures, site.figures);
    }
    for (const KindReport& total : report.totals) {
      DiffSite& row = totals_[total.kind];
      row.kind = total.kind;
      row.*in = true;
      add(row.*figures, total.figures);
    }
  }

  void finish(MemoryDiff& diff) {
    for (auto& [key, site] : sites_)
      if (!unchanged(site)) diff.sites.push_back(std::move(site));
    std::ranges::sort(diff.sites, first_in_order);
    for (auto& [kind, total] : totals_) diff.totals.push_back(std::move(total));
    for (const std::string& path : rebuilt_)
      diff.notes.push_back(fmt::format("{} is another build in each: its functions are compared by name, without lines", path));
  }

 private:
  std::set<std::string> rebuilt_;
  std::map<std::string, DiffSite> sites_;
  std::map<MemoryKind, DiffSite> totals_;
};

}  // namespace

Result<MemoryDiff> memory_diff(const Recording& before, const Recording& after, const MemoryFilter& filter) {
  // A site may be small in one recording and large in the other: min_bytes is for what it grew.
  MemoryFilter all_sizes = filter;
  all_sizes.min_bytes = 0;
  Result<MemoryReport> report_before = memory_report(before, all_sizes), report_after = memory_report(after, all_sizes);
  if (!report_before) return report_before.error();
  if (!report_after) return report_after.error();

  MemoryDiff diff;
  diff.before = before.info;
  diff.after = after.info;
  diff.before_duration_ns = report_before->duration_ns;
  diff.after_duration_ns = report_after->duration_ns;
  for (const std::string& note : report_before->notes) diff.notes.push_back("before: " + note);
  for (const std::string& note : report_after->notes) diff.notes.push_back("after: " + note);
  DiffBuilder builder(rebuilt_modules(before, after));
  builder.add_report(*report_before, &DiffSite::in_before, &DiffSite::before);
  builder.add_report(*report_after, &DiffSite::in_after, &DiffSite::after);
  builder.finish(diff);
  std::erase_if(diff.sites, [&](const DiffSite& site) { return std::abs(grown(site)) < static_cast<double>(filter.min_bytes); });
  return diff;
}

Result<Profile> memory_diff_profile(const Recording& before, const Recording& after, MemoryView view,
                                    const MemoryFilter& filter) {
  MemoryFilter all_sizes = filter;
  all_sizes.min_bytes = 0;
  Result<Profile> profile_before = memory_profile(before, view, all_sizes);
  if (!profile_before) return profile_before.error();
  Result<Profile> profile_after = memory_profile(after, view, all_sizes);
  if (!profile_after) return profile_after.error();
  Profile difference = profile_difference(*profile_before, *profile_after);
  std::erase_if(difference.samples, [&](const ProfileSample& sample) {
    return std::abs(static_cast<double>(sample.values.back())) < static_cast<double>(filter.min_bytes);
  });
  return difference;
}

}  // namespace dwell
