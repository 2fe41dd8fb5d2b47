// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/summary_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/sparkline.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/balance_text.h"
#include "userspace/memory/processes_text.h"
#include "userspace/memory/notes.h"
#include "userspace/memory/site_names.h"
#include "userspace/memory/trust_text.h"
#include "userspace/memory/verdict_text.h"
#include "userspace/memory/words.h"

namespace dwell {
namespace {

constexpr std::size_t kHolder = 24, kNarrowHolder = 15;  // columns
constexpr std::size_t kSiteCurve = 8, kMostSites = 5, kMostProcesses = 2;

class SummaryText {
 public:
  SummaryText(const MemoryReport& report, const SummaryTextOptions& options) : report_(report), options_(options), style_(options.style) {}

  std::string write() {
    std::vector<std::string> foot = foot_lines();
    std::size_t blank = 2, room = options_.lines - std::min(options_.lines, foot.size() + blank);
    std::size_t for_table = std::min<std::size_t>(sites_that_matter(kMostSites).size(), 2) + (report_.sites.empty() ? 0 : 2);
    std::vector<std::string> head = those_that_fit(head_groups(), room - std::min(room, for_table));
    std::vector<std::string> table = table_lines(room - std::min(room, head.size()));
    std::string text;
    for (const std::string& one : head) text += one + "\n";
    if (!table.empty()) text += "\n";
    for (const std::string& one : table) text += one + "\n";
    text += "\n";
    for (const std::string& one : foot) text += one + "\n";
    return text;
  }

 private:
  using Group = std::vector<std::string>;  // the lines of a sentence

  void add(Group& lines, Paint paint, const std::string& text) const {
    std::string paragraph = style_.paragraph(paint, text);
    for (std::string_view one : split(paragraph, '\n'))
      if (!one.empty()) lines.emplace_back(one);
  }
  void add(std::vector<Group>& groups, Paint paint, const std::string& text) const { add(groups.emplace_back(), paint, text); }

  // Whole sentences, those that weigh most first; what is left out is in the report. The first always has room.
  static std::vector<std::string> those_that_fit(const std::vector<Group>& groups, std::size_t room) {
    std::vector<std::string> lines;
    for (const Group& group : groups)
      if (lines.empty() || lines.size() + group.size() <= room) lines.insert(lines.end(), group.begin(), group.end());
    return lines;
  }

  // What is not seen comes first; then the process; then the kinds of memory.
  std::vector<Group> head_groups() const {
    std::vector<Group> lines;
    if (!report_.unseen.empty()) {
      add(lines, Paint::kWarning, fmt::format("NOT SEEN: {}: {}", printable(report_.unseen[0].what), printable(report_.unseen[0].why)));
      std::string more = report_.unseen.size() > 1 ? fmt::format("and {} more: ", report_.unseen.size() - 1) : "";
      add(lines, Paint::kWarning, more + (more.empty() ? "What" : "what") + " these allocate or free is not counted.");
    }
    if (!report_.ended) add(lines, Paint::kWarning, "The recording was cut off; it is shown as far as it can be read.");
    add_processes(lines);
    for (const std::string& one : options_.others) add(lines, Paint::kPlain, one);
    if (options_.followed) add_verdicts(lines);
    return lines;
  }

  std::string process_name(ProcessSlot slot) const {
    return slot < report_.processes.size() ? process_text(report_.processes[slot]) : "process";
  }

  // Of several: all of them, those that grew most, and what is said of one alone.
  void add_all_processes(std::vector<Group>& lines) const {
    std::string all = all_processes_sentence(report_), most = ranking_sentence(report_);
    if (!all.empty()) add(lines, Paint::kStrong, all);
    if (!most.empty()) add(lines, Paint::kPlain, most);
    for (const ProcessBalance& balance : report_.balances)
      if (balance.time_left) return add(lines, Paint::kGrew, balance_notes(balance, " of " + process_name(balance.process)).back());
  }

  void add_processes(std::vector<Group>& lines) const {
    if (report_.balances.size() > 1) return add_all_processes(lines);
    std::vector<const ProcessBalance*> balances;
    for (const ProcessBalance& one : report_.balances) balances.push_back(&one);
    std::ranges::stable_sort(balances, [](const ProcessBalance* a, const ProcessBalance* b) {
      return (a->process == 0) > (b->process == 0) || ((a->process == 0) == (b->process == 0) && std::abs(a->change()) > std::abs(b->change()));
    });
    if (balances.empty()) add(lines, Paint::kStrong, fmt::format("{}, recorded for {}", process_name(0), human_duration(report_.duration_ns)));
    for (std::size_t i = 0; i < std::min(balances.size(), kMostProcesses); ++i) add_process(lines, *balances[i], i == 0);
    if (std::size_t more = report_.processes.size(); more > kMostProcesses)
      add(lines, Paint::kPlain, fmt::format("{} more processes were recorded.", more - std::min(more, kMostProcesses)));
  }

  void add_process(std::vector<Group>& lines, const ProcessBalance& balance, bool is_first) const {
    bool grew = balance.change() > 0 && !is_level(balance);
    add(lines, grew ? Paint::kGrew : Paint::kStrong, fmt::format("{}: {}", process_name(balance.process), balance_sentence(balance, "")));
    if (!is_first) return;
    if (std::string curve = process_curve(balance, style_); !curve.empty()) lines.push_back({curve});
    for (const std::string& note : balance_notes(balance, "")) add(lines, Paint::kPlain, note);
  }

  // Of memory: files and reservations take address space.
  static bool is_memory(MemoryKind kind) { return kind == MemoryKind::kHeap || kind == MemoryKind::kMapping; }

  // Those that have a verdict; of several processes, those that retain most.
  std::vector<const KindReport*> totals_that_matter() const {
    std::vector<const KindReport*> totals;
    for (const KindReport& total : report_.totals) {
      bool quiet = total.figures.allocations == 0 && total.figures.frees == 0 && total.figures.retained_bytes == 0;
      if (is_memory(total.kind) && !quiet) totals.push_back(&total);
    }
    if (report_.processes.size() > 1)
      std::ranges::stable_sort(totals, std::greater(), [](const KindReport* total) { return retained_for_sure(total->figures); });
    if (totals.size() > kMostProcesses) totals.resize(kMostProcesses);
    return totals;
  }

  void add_verdicts(std::vector<Group>& lines) const {
    std::vector<const KindReport*> totals = totals_that_matter();
    for (const KindReport* one : totals) {
      const KindReport& total = *one;
      VerdictScope scope{kind_title(total.kind), {}, report_.to_ns - report_.from_ns, report_.thread};
      if (report_.processes.size() > 1) scope.name += " of " + program_text(report_, total.process);
      constexpr std::size_t kWide = 120;
      bool with_sources = style_.columns == 0 || style_.columns >= kWide;
      for (const SiteReport& site : report_.sites)
        if (with_sources && site.kind == total.kind && site.process == total.process) scope.sites.push_back(&site);
      add(lines, Paint::kPlain, kind_verdict(total, scope));
    }
    if (!totals.empty() || !options_.others.empty()) return;
    add(lines, Paint::kPlain, nothing_seen(report_));
    for (const std::string& note : report_.notes)  // that it has children, say
      if (note != kOlderHasNoCallSite) add(lines, Paint::kPlain, "Note: " + printable(note));
  }

  // Those that make up nine tenths of what is retained.
  std::vector<const SiteReport*> sites_that_matter(std::size_t most) const {
    constexpr double kMost = 0.9;
    std::vector<const SiteReport*> sites;
    double all = 0, sum = 0;
    for (const SiteReport& site : report_.sites) {
      if (!is_memory(site.kind) || site.figures.retained_bytes <= 0) continue;
      sites.push_back(&site);
      all += site.figures.retained_bytes;
    }
    std::ranges::stable_sort(sites, [](const SiteReport* a, const SiteReport* b) {
      return retained_for_sure(a->figures) > retained_for_sure(b->figures);
    });
    std::size_t count = 0;
    while (count < std::min(sites.size(), most) && (count == 0 || sum < kMost * all)) sum += sites[count++]->figures.retained_bytes;
    sites.resize(count);
    return sites;
  }

  std::vector<std::string> table_lines(std::size_t room) const {
    constexpr std::size_t kFrame = 2;  // titles, and what is left out
    if (!options_.followed || room <= kFrame) return {};
    std::vector<const SiteReport*> sites = sites_that_matter(std::min(room - kFrame, kMostSites));
    if (sites.empty()) return nothing_retained();
    SiteNames names(report_, sites, options_.raw);
    constexpr std::size_t kNarrow = 100;
    bool is_narrow = style_.columns != 0 && style_.columns < kNarrow;
    auto fill = [&](std::size_t columns) {
      TextTable table({{"retained"}, {"growth/min", 3}, {"over time", 1}, {"blocks", 4}, {"oldest", 5}, {"processes", 1}, {"held by", 2}, {"call site"}});
      for (const SiteReport* site : sites) {
        std::string kind = site->kind == MemoryKind::kMapping ? " [mapped]" : "";
        std::size_t left = columns > kind.size() + 1 ? columns - kind.size() : columns;
        table.add({{retained_text(site->figures), Paint::kStrong},
                   {rate_text(site->figures.growth_per_minute)},
                   {curve_of(*site)},
                   {retained_blocks_text(site->figures)},
                   {age_text(site->oldest_age_ns)},
                   {shares_text(site->shares)},
                   {cut_middle(holding_text(site->holding), is_narrow ? kNarrowHolder : kHolder)},
                   {names.line(*site, left) + kind}});
      }
      add_rest(table, sites);
      return table;
    };
    std::string text = fill(fill(0).last_column_width(style_)).write(style_);
    std::vector<std::string> lines;
    for (std::string_view one : split(text, '\n'))
      if (!one.empty()) lines.emplace_back(one);
    return lines;
  }

  void add_rest(TextTable& table, const std::vector<const SiteReport*>& shown) const {
    double bytes = 0, blocks = 0;
    std::size_t count = 0;
    for (const SiteReport& site : report_.sites) {
      if (!is_memory(site.kind) || site.figures.retained_bytes <= 0 || std::ranges::count(shown, &site)) continue;
      bytes += site.figures.retained_bytes;
      blocks += site.figures.retained_blocks;
      ++count;
    }
    if (count) table.add({{bytes_text(bytes)}, {"-"}, {""}, {count_text(blocks)}, {"-"}, {""}, {""}, {counted(count, "more call site")}});
  }

  std::string curve_of(const SiteReport& site) const {
    if (site.live_at.size() < 2) return "";
    double high = std::max(*std::max_element(site.live_at.begin(), site.live_at.end()), 0.0);
    return sparkline(report_.moments_ns, site.live_at, report_.from_ns, report_.to_ns, 0, high, kSiteCurve);
  }

  std::vector<std::string> nothing_retained() const {
    double bytes = 0, allocations = 0;
    for (const KindReport& total : report_.totals) {
      if (!is_memory(total.kind)) continue;
      if (!total.figures.retained_known || total.figures.estimated) return {};  // which the verdict tells
      bytes += total.figures.allocated_bytes;
      allocations += total.figures.allocations;
    }
    std::vector<std::string> lines;
    if (allocations > 0)
      add(lines, Paint::kPlain, fmt::format("Nothing that was allocated in this time is still in use: {} in {}.", bytes_text(bytes),
                                            counted(static_cast<std::size_t>(allocations), "allocation")));
    return lines;
  }

  std::vector<std::string> foot_lines() const {
    std::vector<std::string> lines;
    add(lines, report_.losses.empty() && report_.unseen.empty() ? Paint::kPlain : Paint::kWarning, completeness_line(report_));
    for (const std::string& one : options_.end) lines.push_back(one);
    return lines;
  }

  const MemoryReport& report_;
  const SummaryTextOptions& options_;
  const TextStyle& style_;
};

}  // namespace

std::string summary_text(const MemoryReport& report, const SummaryTextOptions& options) { return SummaryText(report, options).write(); }

}  // namespace dwell
