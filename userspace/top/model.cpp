// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/model.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "ui/escape.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/balance_text.h"
#include "userspace/memory/processes_text.h"
#include "userspace/memory/program_groups.h"
#include "userspace/memory/report.h"
#include "userspace/memory/site_names.h"
#include "userspace/memory/words.h"
#include "userspace/subjects/subjects.h"
#include "userspace/top/go_heap.h"
#include "userspace/top/notices.h"

namespace dwell::top {
namespace {

constexpr std::uint64_t kNowNs = 60'000'000'000;  // what "now" means: long enough for a rate, short enough for a change
constexpr std::size_t kFewestTicks = 8;           // that "now" covers, where ticks are long

bool is_memory_kind(MemoryKind kind) { return kind == MemoryKind::kHeap || kind == MemoryKind::kMapping; }

// Since the recording began; where the last minute starts.
std::uint64_t recent_from(const Recording& recording) {
  const std::vector<MemoryTick>& ticks = memory_of(recording).ticks;
  std::uint64_t end_ns = ticks.empty() ? recording.end_ns() : ticks.back().end_ns;
  std::uint64_t from_ns = end_ns > kNowNs ? end_ns - kNowNs : 0;
  if (ticks.size() >= kFewestTicks) from_ns = std::min(from_ns, ticks[ticks.size() - kFewestTicks].start_ns);
  if (ticks.size() < kFewestTicks) from_ns = 0;
  return from_ns - std::min(from_ns, recording.start_ns());
}

Result<MemoryReport> report_from(const std::shared_ptr<const Recording>& recording, std::optional<std::uint64_t> from_ns, SortKey sort, std::size_t curves,
                                 std::optional<ProcessSlot> process) {
  MemoryFilter filter;
  filter.by_program = true;
  filter.process = process;
  filter.from_ns = from_ns;
  filter.curves = curves;
  return memory_report(*recording, filter, sort);
}

std::vector<std::string> stack_of(const SiteReport& site, std::size_t most) {
  TextStyle plain;
  std::string text = stack_lines(site.stack.frames(), site.incomplete, most, plain);
  std::vector<std::string> lines;
  for (std::string_view line : split(text, '\n'))
    if (!line.empty()) lines.emplace_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  return lines;
}

class Builder {
 public:
  Builder(const std::shared_ptr<const Recording>& recording, const ModelRequest& request) : recording_(recording), request_(request) {}

  Model build() {
    const Recording& recording = *recording_;
    if (request_.process)
      if (Result<ProcessSlot> found = recorded_process(static_cast<std::uint32_t>(*request_.process), recording)) process_ = *found;
    if (recording.processes.size() == 1) process_ = 0;
    model_.process = process_ ? process_text(recording.processes[*process_]) : "processes";
    model_.elapsed_ns = recording.end_ns() - recording.start_ns();
    for (const Subject& subject : subjects())
      if (subject.name == "go" && subject.of_target) model_.has_go = subject.of_target(recording);
    Result<MemoryReport> whole = report_from(recording_, std::nullopt, SortKey::kRetained, request_.most_rows, process_);
    if (!whole) {
      model_.state = whole.error().what;
      return std::move(model_);
    }
    add_process(*whole);
    add_notices(recording, *whole, model_);
    add_sites(*whole);
    if (model_.has_go) add_go_heap(recording, request_, model_);
    return std::move(model_);
  }

 private:
  // All processes are sampled at the same moments.
  void add_process(const MemoryReport& report) {
    std::map<std::uint64_t, double> sums;
    double resident = 0;
    bool any = false, limited = false;
    for (const ProcessBalance& balance : report.balances) {
      const ProcessInfo& info = recording_->processes[balance.process];
      std::optional<double> rate = recent_rate(balance.times_ns, balance.resident);
      if (recording_->processes.size() > 1 && !info.end_ns)
        model_.processes.push_back({static_cast<pid_t>(info.pid), process_text(info), rate});
      if (process_ && balance.process != *process_) continue;
      for (std::size_t i = 0; i < balance.times_ns.size(); ++i) sums[balance.times_ns[i]] += balance.resident[i];
      any = true;
      if (!info.end_ns || process_) resident += balance.resident.empty() ? static_cast<double>(balance.after) : balance.resident.back();
      if (!std::exchange(limited, true) || balance.time_left) add_limit(balance, model_);
    }
    if (!process_) model_.process = name_of_all(report);
    if (!any) return;
    model_.resident = resident;
    for (const auto& [time_ns, sum] : sums) model_.resident_curve.times_ns.push_back(time_ns), model_.resident_curve.values.push_back(sum);
    model_.resident_rate = recent_rate(model_.resident_curve.times_ns, model_.resident_curve.values);
  }

  std::optional<double> recent_rate(const std::vector<std::uint64_t>& times_ns, const std::vector<double>& values) const {
    std::uint64_t from_ns = recent_from(*recording_);
    std::vector<std::uint64_t> times;
    std::vector<double> recent;
    for (std::size_t i = 0; i < times_ns.size(); ++i) {
      if (times_ns[i] < from_ns) continue;
      times.push_back(times_ns[i]);
      recent.push_back(values[i]);
    }
    return slope_per_minute(times, recent);
  }

  static std::string name_of_all(const MemoryReport& report) {
    std::set<ProcessSlot> programs(report.leads.begin(), report.leads.end());
    if (programs.size() == 1) return program_text(report, *programs.begin());
    std::size_t running = 0;
    for (const ProcessInfo& process : report.processes) running += process.end_ns == 0;
    return fmt::format("{} of {}", counted(running, "process"), counted(programs.size(), "program"));
  }

  void add_sites(const MemoryReport& whole) {
    Result<MemoryReport> recent = report_from(recording_, recent_from(*recording_), SortKey::kGrowth, 0, process_);
    for (const SiteReport& site : recent ? recent->sites : whole.sites) rates_[site.site] = site.figures.growth_per_minute;
    if (recent)
      for (const KindReport& total : recent->totals)
        if (is_memory_kind(total.kind) && total.figures.growth_per_minute) model_.live_rate = model_.live_rate.value_or(0) + *total.figures.growth_per_minute;
    add_marks();
    model_.moments_ns = whole.moments_ns;
    model_.from_ns = whole.from_ns, model_.to_ns = whole.to_ns;
    std::vector<const SiteReport*> shown = chosen(whole);
    SiteNames names(whole, shown, false);
    for (const SiteReport* site : shown) model_.rows.push_back(row_of(*site, names));
    add_live(whole);
    for (const SiteReport& site : whole.sites) {
      if (!is_memory_kind(site.kind) || std::ranges::count(shown, &site) || site.figures.retained_bytes == 0) continue;
      ++model_.rest_sites;
      model_.rest_live += site.figures.retained_bytes;
    }
  }

  void add_live(const MemoryReport& whole) {
    bool known = true;
    double live = 0;
    for (const KindReport& total : whole.totals)
      if (is_memory_kind(total.kind)) known = known && total.figures.retained_known, live += total.figures.retained_bytes;
    if (known) model_.live = live;
    for (const KindReport& total : whole.totals)
      if (known && total.kind == MemoryKind::kHeap && total.figures.estimated) model_.live_text = retained_text(total.figures);
    if (model_.estimated) model_.live_rate.reset();  // History has it
  }

  // Half of the rows for those that hold most, half for those that grow fastest.
  std::vector<const SiteReport*> chosen(const MemoryReport& whole) const {
    std::vector<const SiteReport*> sites;
    for (const SiteReport& site : whole.sites)
      if (is_memory_kind(site.kind) && (site.figures.retained_bytes > 0 || rate_of(site).value_or(0) != 0)) sites.push_back(&site);
    if (sites.size() <= request_.most_rows) return sites;
    auto middle = sites.begin() + static_cast<std::ptrdiff_t>(request_.most_rows / 2);
    auto end = sites.begin() + static_cast<std::ptrdiff_t>(request_.most_rows);
    std::ranges::partial_sort(middle, end, sites.end(), [this](const SiteReport* a, const SiteReport* b) { return rate_of(*a).value_or(0) > rate_of(*b).value_or(0); });
    sites.erase(end, sites.end());
    return sites;
  }

  std::optional<double> rate_of(const SiteReport& site) const {
    auto found = rates_.find(site.site);
    return found == rates_.end() ? std::nullopt : found->second;
  }

  void add_marks() {
    for (const Mark& mark : recording_->marks) model_.marks_ns.push_back(mark.time_ns - std::min(mark.time_ns, recording_->start_ns()));
    if (model_.marks_ns.empty()) return;
    Result<MemoryReport> since = report_from(recording_, model_.marks_ns.back(), SortKey::kRetained, 0, process_);
    if (!since) return;  // it was a moment ago: no tick has come since
    for (const SiteReport& site : since->sites) since_mark_[site.site] = net_bytes(site.figures);
  }

  SiteRow row_of(const SiteReport& site, const SiteNames& names) const {
    SiteRow row;
    row.key = site.site;
    row.name = names.line(site, 0);
    if (!site.shares.empty()) row.name += fmt::format("  [processes: {}]", shares_text(site.shares));
    if (site.kind == MemoryKind::kMapping) row.kind = "mapped";
    row.live = site.figures.retained_bytes;
    row.rate = rate_of(site);
    if (!model_.marks_ns.empty()) {
      auto since = since_mark_.find(site.site);
      row.since_mark = since == since_mark_.end() ? 0 : since->second;
    }
    if (!site.figures.range_only) row.blocks = site.figures.retained_blocks;
    row.live_text = retained_text(site.figures);
    row.curve = site.live_at;
    row.stack = stack_of(site, request_.most_frames);
    row.by_history = site.figures.estimated;
    if (row.by_history) row.curve.clear(), row.rate.reset();
    return row;
  }

  std::shared_ptr<const Recording> recording_;
  ModelRequest request_;
  std::optional<ProcessSlot> process_;  // that is shown alone
  Model model_;
  std::unordered_map<std::uint32_t, std::optional<double>> rates_;  // by site
  std::unordered_map<std::uint32_t, double> since_mark_;
};

}  // namespace

Model model_of(const std::shared_ptr<const Recording>& recording, const ModelRequest& request) { return Builder(recording, request).build(); }

}  // namespace dwell::top
