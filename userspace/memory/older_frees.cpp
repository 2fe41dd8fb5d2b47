// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/older_frees.h"

#include <algorithm>
#include <cmath>

#include "userspace/memory/words.h"

namespace dwell {

namespace {

// Of all that still run, or of all where none does; none: of one of them it is not known.
std::optional<double> change_of_live_blocks(const MemoryReport& report, std::span<const ProcessSlot> members) {
  double sum = 0;
  auto runs = [&](ProcessSlot member) { return report.processes[member].end_ns == 0; };
  bool any_runs = std::ranges::any_of(members, runs);
  for (ProcessSlot member : members) {
    if (any_runs && !runs(member)) continue;
    auto balance = std::ranges::find(report.balances, member, &ProcessBalance::process);
    if (balance == report.balances.end() || !balance->live_change) return std::nullopt;
    sum += static_cast<double>(*balance->live_change);
  }
  return sum;
}

}  // namespace

std::optional<CountedChange> counted_change(const MemoryReport& report, std::span<const ProcessSlot> members) {
  constexpr double kNoise = 0.02, kFewBytes = 64 << 10;
  std::optional<double> change = change_of_live_blocks(report, members);
  if (!change) return std::nullopt;
  double live = 0;
  bool resident_is_level = true;
  for (const ProcessBalance& balance : report.balances) {
    if (std::ranges::find(members, balance.process) == members.end()) continue;
    if (balance.account) live += static_cast<double>(balance.account->live_bytes);
    resident_is_level &= is_level(balance);
  }
  return CountedChange{*change, resident_is_level && std::abs(*change) <= std::max(kNoise * live, kFewBytes)};
}

std::optional<OlderFrees> older_frees(const KindReport& heap, const MemoryReport& report, std::span<const ProcessSlot> members) {
  constexpr double kPart = 0.1, kFewBytes = 256 << 10, kFewFrees = 100;
  if (heap.kind != MemoryKind::kHeap || report.info.started_by_dwell || report.thread) return std::nullopt;
  if (std::ranges::none_of(members, [&](ProcessSlot member) { return report.processes[member].parent < 0; })) return std::nullopt;
  const Surprises& odd = report.surprises;
  OlderFrees older{odd.unknown_frees - std::min(odd.cache_frees, odd.unknown_frees), std::nullopt, false};
  double net = net_bytes(heap.figures), enough = std::max(kPart * std::max(net, 0.0), kFewBytes);
  older.live_change = change_of_live_blocks(report, members);
  if (older.live_change) {
    older.level = std::abs(*older.live_change) <= enough;
    return net - *older.live_change > enough ? std::optional(older) : std::nullopt;
  }
  bool many = static_cast<double>(older.frees) > std::max(kPart * heap.figures.retained_blocks, kFewFrees);
  return many && net > 0 ? std::optional(older) : std::nullopt;
}

}  // namespace dwell
