// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <map>

#include "ui/escape.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/part.h"
#include "userspace/memory/site_holding.h"

namespace dwell {
namespace {

constexpr double kWorthTelling = 0.01;           // of a call site
constexpr std::uint64_t kOlderWorthTelling = 64 << 10;  // bytes

const Holding* known_holding(const MemoryPart& memory, ProcessSlot process) {
  return process < memory.holding.size() && memory.holding[process].known() ? &memory.holding[process] : nullptr;
}

std::string process_words(const Recording& recording, std::size_t process) {
  return recording.processes.size() > 1 ? fmt::format(" of PID {}", recording.processes[process].pid) : "";
}

}  // namespace

std::optional<SiteHolding> holding_of(const Recording& recording, std::span<const std::uint32_t> series) {
  const MemoryPart& memory = memory_of(recording);
  if (memory.holding.empty()) return std::nullopt;
  double all = 0, lost = 0;
  std::map<std::string, double> by;
  for (std::uint32_t one : series) {
    const Holding* holding = known_holding(memory, memory.series[one].process);
    if (!holding) continue;
    auto row = std::ranges::lower_bound(holding->rows, one, {}, &HeldRow::series);
    if (row == holding->rows.end() || row->series != one) continue;
    all += static_cast<double>(row->bytes), lost += static_cast<double>(row->lost_bytes);
    for (const HeldBy& held : row->by) by[holding->holders[held.holder]] += static_cast<double>(held.bytes);
  }
  if (all <= 0) return std::nullopt;
  SiteHolding result{lost / all, {}};
  for (const auto& [name, bytes] : by) result.by.emplace_back(name, bytes / all);
  std::ranges::stable_sort(result.by, std::greater<>(), &std::pair<std::string, double>::second);
  return result;
}

std::string holding_text(const std::optional<SiteHolding>& holding) {
  if (!holding) return "";
  if (holding->lost_share >= kMostOfIt) return "nothing: leaked";
  if (holding->lost_share >= kWorthTelling) return fmt::format("nothing: {} leaked", percent(holding->lost_share, 1));
  if (holding->by.empty()) return "";
  std::string text = printable(holding->by[0].first);
  std::size_t more = holding->by.size() - 1;
  return holding->by[0].second >= kMostOfIt || more == 0 ? text : fmt::format("{} and {} more", text, more);
}

std::string holding_sentence(const std::optional<SiteHolding>& holding) {
  if (!holding) return "";
  std::string text;
  if (holding->lost_share >= kWorthTelling)
    text = fmt::format("{} leaked: nothing leads there any more", holding->lost_share >= kMostOfIt ? "all" : percent(holding->lost_share, 1));
  std::string held;
  for (const auto& [name, share] : holding->by)
    if (share >= kWorthTelling) held += fmt::format("{}{} ({})", held.empty() ? "reached from " : ", ", printable(name), percent(share, 1));
  if (text.empty() || held.empty()) return text + held;
  return text + "; " + held;
}

std::vector<std::string> holding_notes(const Recording& recording) {
  std::vector<std::string> notes;
  const std::vector<Holding>& all = memory_of(recording).holding;
  for (std::size_t process = 0; process < all.size(); ++process) {
    const Holding& one = all[process];
    if (one.time_ns == 0) continue;
    std::string of = process_words(recording, process);
    if (!one.known()) {
      notes.push_back(fmt::format("what holds the blocks{} is not known: {}", of, one.unsettled));
      continue;
    }
    std::uint64_t followed = 0;
    for (const HeldRow& row : one.rows) followed += row.lost_bytes;
    if (one.lost_bytes > followed + kOlderWorthTelling)
      notes.push_back(fmt::format("{} in {} of the heap{} are leaked, most of it from before the recording; dwell memory {} --leaks shows them",
                                  human_bytes(static_cast<double>(one.lost_bytes)), counted(one.lost_blocks, "block"), of,
                                  recording.processes[process].pid));
  }
  return notes;
}

}  // namespace dwell
