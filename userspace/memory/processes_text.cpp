// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/processes_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/words.h"

namespace dwell {
namespace {

// One process, over all kinds of memory that take memory.
struct OneProcess {
  ProcessSlot process = 0;
  const ProcessBalance* balance = nullptr;
  MemoryFigures figures;
  bool any = false;  // figures of call sites
  // Of what it does not share, where that is known.
  double change() const {
    if (balance && balance->proportional_change) return static_cast<double>(*balance->proportional_change);
    return balance ? static_cast<double>(balance->change()) : net_bytes(figures);
  }
};

std::vector<OneProcess> ranked(const MemoryReport& report) {
  std::vector<OneProcess> all(report.processes.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i].process = static_cast<ProcessSlot>(i);
  for (const ProcessBalance& balance : report.balances) all[balance.process].balance = &balance;
  auto add = [&](ProcessSlot process, const MemoryFigures& figures) {
    std::optional<double> before = all[process].figures.growth_per_minute;
    all[process].figures = all[process].any ? all[process].figures + figures : figures;
    if (before && figures.growth_per_minute) all[process].figures.growth_per_minute = *before + *figures.growth_per_minute;
    all[process].any = true;
  };
  for (const KindReport& total : report.totals) {
    if (total.kind != MemoryKind::kHeap && total.kind != MemoryKind::kMapping) continue;
    if (total.shares.empty()) add(total.process, total.figures);
    for (const ProcessShare& share : total.shares) add(share.process, share.figures);
  }
  std::ranges::stable_sort(all, [&](const OneProcess& a, const OneProcess& b) {
    bool a_runs = report.processes[a.process].end_ns == 0, b_runs = report.processes[b.process].end_ns == 0;
    if (a_runs != b_runs) return a_runs;
    return a.change() > b.change();
  });
  return all;
}

bool grows(GrowthShape shape) { return shape == GrowthShape::kSteady || shape == GrowthShape::kBursts || shape == GrowthShape::kUneven; }

}  // namespace

std::string program_text(const MemoryReport& report, ProcessSlot lead) {
  std::size_t running = 0, ended = 0;
  for (std::size_t i = 0; i < report.leads.size(); ++i)
    if (report.leads[i] == lead) ++(report.processes[i].end_ns ? ended : running);
  if (lead >= report.processes.size()) return "process";
  std::string one = process_text(report.processes[lead]);
  if (running + ended < 2) return one;
  std::string name = one.substr(0, one.rfind(" ("));
  if (running == 0) return fmt::format("{} ({} processes, all ended)", name, ended);
  return fmt::format("{} ({}{})", name, counted(running, "process"), ended ? fmt::format(", {} more ended", ended) : "");
}

std::string shares_text(const std::vector<ProcessShare>& shares) {
  std::size_t hold = 0, growing = 0, known = 0;
  for (const ProcessShare& share : shares) {
    if (share.figures.retained_bytes <= 0 && share.figures.retained_blocks <= 0) continue;
    ++hold;
    known += share.growth != GrowthShape::kUnknown;
    growing += grows(share.growth);
  }
  if (shares.empty()) return "";
  if (hold < 2 || known < hold || growing == 0) return fmt::format("{}", hold ? hold : shares.size());
  return growing == hold ? fmt::format("{}, all growing", hold) : fmt::format("{}, {} growing", hold, growing);
}

bool adds_up_processes(const MemoryReport& report) {
  return std::ranges::any_of(report.totals, [](const KindReport& total) { return !total.shares.empty(); });
}

std::string all_processes_sentence(const MemoryReport& report) {
  double before = 0, after = 0, once = 0, once_change = 0;
  bool once_known = true, change_known = true;
  std::uint64_t longest_ns = 0;
  std::size_t count = 0, ended = 0;
  for (const ProcessBalance& balance : report.balances) {
    if (report.processes[balance.process].end_ns) {
      ++ended;
      continue;
    }
    ++count;
    before += static_cast<double>(balance.before);
    after += static_cast<double>(balance.after);
    longest_ns = std::max(longest_ns, balance.duration_ns);
    once_known = once_known && balance.account && balance.account->proportional;
    if (once_known) once += static_cast<double>(balance.account->proportional);
    change_known = change_known && balance.proportional_change;
    if (change_known) once_change += static_cast<double>(*balance.proportional_change);
  }
  if (count == 0) return ended ? fmt::format("All {} processes ended while they were recorded.", ended) : "";
  std::string text = fmt::format("RSS of {} {} in {}, to {} in all", counted(count, "process"), signed_bytes(after - before), human_duration(longest_ns),
                                 bytes_text(after));
  if (once_known && count > 1)
    text += fmt::format("; where shared memory counts once (PSS) {}{}", change_known ? signed_bytes(once_change) + ", to " : "", bytes_text(once));
  if (ended) text += fmt::format("; {} more ended meanwhile", ended);
  return text + ".";
}

std::string ranking_sentence(const MemoryReport& report) {
  constexpr std::size_t kNamed = 3;
  constexpr double kFewBytes = 64 << 10;
  std::string text;
  std::size_t named = 0, grew = 0;
  for (const OneProcess& one : ranked(report)) {
    if (report.processes[one.process].end_ns || one.change() < kFewBytes) continue;
    if (++grew > kNamed) continue;
    text += fmt::format("{}{} {}", named++ ? ", " : "", process_text(report.processes[one.process]), signed_bytes(one.change()));
  }
  if (named == 0) return "";
  if (grew > kNamed) text += fmt::format(", and {} more grew", grew - kNamed);
  return "Most: " + text + ".";
}

std::string processes_table(const MemoryReport& report, std::size_t rows, const TextStyle& style) {
  TextTable table({{"retained"}, {"growth/min", 2}, {"RSS", 0}, {"change", 1}, {"process"}});
  std::vector<OneProcess> all = ranked(report);
  for (std::size_t i = 0; i < std::min(rows, all.size()); ++i) {
    const OneProcess& one = all[i];
    bool ended = report.processes[one.process].end_ns != 0;
    std::string name = process_text(report.processes[one.process]) + (ended ? ", ended" : "");
    table.add({{one.any ? retained_text(one.figures) : "-", Paint::kStrong},
               {one.any ? rate_text(one.figures.growth_per_minute) : "-"},
               {one.balance ? bytes_text(static_cast<double>(one.balance->after)) : "-"},
               {one.balance ? signed_bytes(static_cast<double>(one.balance->change())) : "-"},
               {name}});
  }
  if (all.size() > rows) table.add({{""}, {""}, {""}, {""}, {fmt::format("{} more", all.size() - rows)}});
  return table.write(style);
}

}  // namespace dwell
