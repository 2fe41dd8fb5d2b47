// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/notices.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/part.h"

namespace dwell::top {
namespace {

constexpr double kNear = 0.9;                              // of a limit
constexpr std::uint64_t kOverheadNs = 10'000'000'000;      // what "overhead now" covers
constexpr std::uint64_t kLeastCpuNs = 1'000'000;           // of the target in that time: with less, a share says nothing

std::uint64_t used_of(const ProcessLimit& limit, const ProcessBalance& balance) {
  bool counts_by_itself = limit.kind == LimitKind::kGroup || limit.kind == LimitKind::kGroupHigh || limit.kind == LimitKind::kMachine;
  return counts_by_itself ? limit.in_use : balance.after;
}

std::string words_of_limit(const ProcessLimit& limit) {
  std::string size = bytes_text(static_cast<double>(limit.limit));
  switch (limit.kind) {
    case LimitKind::kGroup: return "the " + size + " of its control group";
    case LimitKind::kGroupHigh: return "the " + size + " at which its control group is throttled";
    case LimitKind::kAddressSpace: return "the " + size + " of RLIMIT_AS";
    case LimitKind::kData: return "the " + size + " of RLIMIT_DATA";
    case LimitKind::kMachine: return "the machine's " + size;
  }
  return size;
}

double share_of(const ProcessLimit& limit, const ProcessBalance& balance) {
  return limit.limit ? static_cast<double>(used_of(limit, balance)) / static_cast<double>(limit.limit) : 0;
}

std::string in_words(double seconds) { return human_duration(static_cast<std::uint64_t>(seconds) * 1'000'000'000); }

std::optional<double> overhead_now(const std::vector<CostSample>& costs) {
  if (costs.empty()) return std::nullopt;
  const CostSample& last = costs.back();
  CostSample first;
  for (const CostSample& one : costs)
    if (one.time_ns + kOverheadNs <= last.time_ns) first = one;
  if (first.time_ns == 0 && costs.size() > 1) first = costs.front();
  if (last.target_cpu_ns < first.target_cpu_ns + kLeastCpuNs) return std::nullopt;
  double cost = static_cast<double>(last.probes_ns() - std::min(first.probes_ns(), last.probes_ns()));
  return std::min(100.0, 100 * cost / static_cast<double>(last.target_cpu_ns - first.target_cpu_ns));
}

std::string what_is_lost(const MemoryReport& report) {
  if (!report.unseen.empty()) return fmt::format("not seen: {}: {}", printable(report.unseen[0].what), printable(report.unseen[0].why));
  std::uint64_t count = 0;
  for (const LossReport& loss : report.losses) count += loss.count;
  return count ? counted(count, "event") + " lost: figures are not complete" : "";
}

}  // namespace

void add_limit(const ProcessBalance& balance, Model& model) {
  // The one that would be reached first; else the one that is fullest.
  const ProcessLimit* nearest = nullptr;
  for (const ProcessLimit& limit : balance.limits)
    if (limit.kind != LimitKind::kMachine && (!nearest || share_of(limit, balance) > share_of(*nearest, balance))) nearest = &limit;
  if (balance.time_left) nearest = &balance.time_left->limit;
  if (!nearest || nearest->limit == 0) return;
  double share = share_of(*nearest, balance);
  model.limit = fmt::format("{:.0f} % of {}", 100 * share, words_of_limit(*nearest));
  model.near_limit = share >= kNear;
  if (const std::optional<TimeToLimit>& left = balance.time_left)
    model.time_left = fmt::format("reached in {} ({} to {})", in_words(left->seconds), in_words(left->soonest), in_words(left->latest));
}

void add_notices(const Recording& recording, const MemoryReport& report, Model& model) {
  model.overhead = overhead_now(recording.costs);
  const memory::windows::WindowPart& windows = memory_of(recording).windows;
  model.budget = windows.percent;
  model.estimated = !windows.ticks.empty() && !windows.ticks.back().processes.empty();
  model.lost = what_is_lost(report);
  if (recording.ended) model.state = "ended: " + printable(recording.end.reason);
}

}  // namespace dwell::top
