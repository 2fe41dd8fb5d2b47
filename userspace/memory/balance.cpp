// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/balance.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace dwell {
namespace {

using memory::Part;

constexpr double kFarthestTold = 100;              // times as long as it was seen to grow: behind that it is a guess
constexpr double kWidestInterval = 3;              // latest / soonest

class BalanceMaker {
 public:
  BalanceMaker(const Recording& recording, const TickRange& range, ProcessSlot slot, const MemoryUsage& memory)
      : recording_(recording), range_(range), memory_(memory) {
    balance_.process = slot;
    balance_.limits = memory.limits;
  }

  std::optional<ProcessBalance> make() {
    take_samples();
    if (samples_.empty()) return std::nullopt;
    sum_by_samples();
    if (is_whole()) compare_accounts();
    set_trend();
    return std::move(balance_);
  }

 private:
  bool is_whole() const {
    return range_.start_ns <= recording_.start_ns() && (memory_of(recording_).ticks.empty() || range_.end_ns >= memory_of(recording_).ticks.back().end_ns);
  }

  void take_samples() {
    bool whole = is_whole();
    for (const MemorySample& sample : memory_.samples) {
      if (!whole && (sample.time_ns < range_.start_ns || sample.time_ns > range_.end_ns)) continue;
      samples_.push_back(sample);
      balance_.times_ns.push_back(sample.time_ns - std::min(sample.time_ns, recording_.start_ns()));
      balance_.resident.push_back(static_cast<double>(sample.resident()));
    }
  }

  void sum_by_samples() {
    const MemorySample &first = samples_.front(), &last = samples_.back();
    balance_.before = first.resident();
    balance_.after = last.resident();
    balance_.swapped_before = first.swapped;
    balance_.swapped_after = last.swapped;
    balance_.duration_ns = last.time_ns - first.time_ns;
    const ProcessInfo& info = recording_.processes[balance_.process];
    if (info.end_ns && info.end_ns <= std::max(range_.end_ns, recording_.end_ns())) balance_.last_known_ns = balance_.times_ns.back();
    balance_.growth = growth_pattern(balance_.times_ns, balance_.resident);
  }

  void compare_accounts() {
    const ProcessAccount &first = memory_.first, &last = memory_.last;
    if (last.time_ns && last.known) balance_.account = last;
    if (!first.time_ns) return;
    if (!first.known || !last.known || !last.time_ns) {
      balance_.no_parts = !first.known     ? first.why
                          : last.time_ns   ? last.why
                          : balance_.last_known_ns ? "the process ended while it was recorded"
                          : recording_.ended       ? "the recording ended before the process could be looked at again"
                                                   : "the recording was cut off";
      return;
    }
    balance_.has_parts = true;
    if (first.proportional && last.proportional)
      balance_.proportional_change = static_cast<std::int64_t>(last.proportional) - static_cast<std::int64_t>(first.proportional);
    balance_.before = first.resident;
    balance_.after = last.resident;
    balance_.swapped_before = first.swapped;
    balance_.swapped_after = last.swapped;
    balance_.duration_ns = last.time_ns - std::min(first.time_ns, last.time_ns);
    balance_.early_ns = recording_.start_ns() - std::min(first.time_ns, recording_.start_ns());
    bool comparable = same_heap(first, last);
    balance_.no_parts = comparable || !last.why.empty() ? last.why : first.why;
    if (comparable && last.walked)
      balance_.live_change = static_cast<std::int64_t>(last.live_bytes - first.live_bytes);
    auto before = parts_of(first, comparable), after = parts_of(last, comparable);
    for (std::size_t i = 0; i < memory::kParts; ++i)
      if (after[i] != before[i]) balance_.parts.push_back({static_cast<Part>(i), after[i] - before[i]});
    std::ranges::stable_sort(balance_.parts, [](const PartChange& a, const PartChange& b) { return std::abs(a.bytes) > std::abs(b.bytes); });
  }

  // Not where the heap was read at one of the two moments only, and lay in mappings of no known owner at the other.
  static bool same_heap(const ProcessAccount& first, const ProcessAccount& last) {
    if (first.walked == last.walked) return true;
    const ProcessAccount &walked = first.walked ? first : last, &other = first.walked ? last : first;
    return other.of(Part::kAnonymous) < (walked.of(Part::kLive) + walked.of(Part::kFree)) / 2;
  }

  static std::array<std::int64_t, memory::kParts> parts_of(const ProcessAccount& account, bool comparable) {
    std::array<std::int64_t, memory::kParts> parts = account.parts;
    if (comparable) return parts;
    for (Part part : {Part::kLive, Part::kFree, Part::kMetadata, Part::kUnexplained})
      parts[static_cast<std::size_t>(Part::kAnonymous)] += std::exchange(parts[static_cast<std::size_t>(part)], 0);
    return parts;
  }

  template <typename Value>
  std::optional<SteadyTrend> trend_of(Value value_of) const {
    std::vector<std::uint64_t> times_ns;
    std::vector<double> values;
    for (const MemorySample& sample : samples_) {
      times_ns.push_back(sample.time_ns);
      values.push_back(static_cast<double>(value_of(sample)));
    }
    return steady_trend(times_ns, values);
  }

  void set_trend() {
    balance_.trend = trend_of([](const MemorySample& sample) { return sample.anonymous + sample.shared + sample.swapped; });
    if (balance_.last_known_ns) return;  // it has ended
    for (const ProcessLimit& limit : balance_.limits) {
      std::optional<TimeToLimit> left = time_to(limit);
      if (left && (!balance_.time_left || left->seconds < balance_.time_left->seconds)) balance_.time_left = left;
    }
  }

  std::optional<TimeToLimit> time_to(const ProcessLimit& limit) const {
    std::optional<SteadyTrend> trend = balance_.trend;
    if (limit.kind == LimitKind::kAddressSpace) trend = trend_of([](const MemorySample& sample) { return sample.address_space; });
    if (limit.kind == LimitKind::kData) trend = trend_of([](const MemorySample& sample) { return sample.data; });
    if (!trend || trend->low <= 0) return std::nullopt;
    double room = static_cast<double>(limit.limit - std::min(limit.limit, limit.in_use));
    if (limit.kind == LimitKind::kGroupHigh && room == 0) return std::nullopt;  // that is behind it
    TimeToLimit left{limit, room / trend->per_second, room / trend->high, room / trend->low};
    double seen = static_cast<double>(samples_.back().time_ns - std::min(trend->since_ns, samples_.back().time_ns)) / 1e9;
    if (left.latest > kFarthestTold * seen || left.latest > kWidestInterval * left.soonest) return std::nullopt;
    return left;
  }

  const Recording& recording_;
  const TickRange& range_;
  const MemoryUsage& memory_;
  std::vector<MemorySample> samples_;
  ProcessBalance balance_;
};

}  // namespace

std::vector<ProcessBalance> process_balances(const Recording& recording, const TickRange& range) {
  std::vector<ProcessBalance> balances;
  const std::vector<MemoryUsage>& all = memory_of(recording).processes;
  for (std::size_t slot = 0; slot < std::min(all.size(), recording.processes.size()); ++slot)
    if (std::optional<ProcessBalance> one = BalanceMaker(recording, range, static_cast<ProcessSlot>(slot), all[slot]).make())
      balances.push_back(std::move(*one));
  return balances;
}

bool is_level(const ProcessBalance& balance) {
  constexpr double kNoise = 0.002, kFewBytes = 256 << 10;
  double change = static_cast<double>(balance.change());
  if (std::abs(change) > std::max(kNoise * static_cast<double>(balance.before), kFewBytes)) return false;
  // Blocks are counted one by one: where they make up most of a change, it is none of the noise.
  constexpr double kChangeInSmall = 0.02, kSmallest = 32 << 10;
  if (std::abs(change) < std::max(kChangeInSmall * static_cast<double>(balance.before), kSmallest)) return true;
  auto live = std::ranges::find(balance.parts, memory::Part::kLive, &PartChange::part);
  return live == balance.parts.end() || static_cast<double>(live->bytes) / change < 0.5;
}

}  // namespace dwell
