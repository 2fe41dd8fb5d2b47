// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/older_frees.h"

#include <algorithm>
#include <cmath>

#include "userspace/memory/words.h"

namespace dwell {

std::optional<OlderFrees> older_frees(const KindReport& heap, const MemoryReport& report) {
  constexpr double kPart = 0.1, kFewBytes = 256 << 10, kFewFrees = 100;
  if (heap.kind != MemoryKind::kHeap || heap.process != 0 || report.info.started_by_dwell || report.thread) return std::nullopt;
  const Surprises& odd = report.surprises;
  OlderFrees older{odd.unknown_frees - std::min(odd.cache_frees, odd.unknown_frees), std::nullopt, false};
  double net = net_bytes(heap.figures), enough = std::max(kPart * std::max(net, 0.0), kFewBytes);
  for (const ProcessBalance& balance : report.balances)
    if (balance.process == 0 && balance.live_change) older.live_change = static_cast<double>(*balance.live_change);
  if (older.live_change) {
    older.level = std::abs(*older.live_change) <= enough;
    return net - *older.live_change > enough ? std::optional(older) : std::nullopt;
  }
  bool many = static_cast<double>(older.frees) > std::max(kPart * heap.figures.retained_blocks, kFewFrees);
  return many && net > 0 ? std::optional(older) : std::nullopt;
}

}  // namespace dwell
