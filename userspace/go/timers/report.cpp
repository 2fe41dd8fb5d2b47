// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/timers/report.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "userspace/go/goroutines/places.h"
#include "userspace/go/heap/profile.h"

namespace dwell {
namespace {

struct ChannelState {
  std::uint64_t length = 0, capacity = 0;
  std::uint64_t receiver = 0;  // the goroutine that waits first
};

constexpr std::size_t kMostMakers = 5;

// Of package time what makes timers; its other functions allocate nothing that stays.
bool makes_timers(const GoCall& call) {
  for (std::string_view name :
       {"time.NewTicker", "time.NewTimer", "time.AfterFunc", "time.After", "time.Tick"})
    if (call.function == name) return true;
  return false;
}

std::vector<TimerMaker> find_makers(const GoRuntime& runtime) {
  std::vector<TimerMaker> makers;
  Result<HeapProfile> profile = read_heap_profile(runtime);
  if (!profile) return makers;
  for (const HeapSite& site : profile->sites) {
    auto last = std::find_if(site.calls.rbegin(), site.calls.rend(), makes_timers);
    if (last == site.calls.rend() || last == site.calls.rbegin() || site.scaled.in_use_bytes <= 0) continue;
    std::vector<GoCall> calls(last.base(), site.calls.end());
    auto same = [&](const TimerMaker& maker) {
      return maker.calls[0].function == calls[0].function && maker.calls[0].line == calls[0].line;
    };
    auto found = std::find_if(makers.begin(), makers.end(), same);
    if (found == makers.end()) found = makers.insert(found, {std::move(calls), 0});
    found->in_use_bytes += site.scaled.in_use_bytes;
  }
  std::stable_sort(makers.begin(), makers.end(),
                   [](const TimerMaker& a, const TimerMaker& b) { return a.in_use_bytes > b.in_use_bytes; });
  if (makers.size() > kMostMakers) makers.resize(kMostMakers);
  return makers;
}

class Builder {
 public:
  Builder(const GoRuntime& runtime, const absl::flat_hash_set<std::uint64_t>* useless)
      : runtime_(runtime), useless_(useless) {}

  Result<TimerReport> build() {
    Result<GoTimers> timers = read_timers(runtime_);
    if (!timers) return timers.error();
    report_.pending = timers->pending.size();
    report_.torn = timers->torn;
    for (const GoTimer& timer : timers->pending) note_goroutine(timer);
    if (Result<void> found = places_.find(runtime_); !found) return found.error();
    for (const GoTimer& timer : timers->pending) add(timer);
    for (const auto& [key, group] : groups_) report_.groups.push_back(describe(key, group));
    report_.makers = find_makers(runtime_);
    std::stable_sort(
        report_.groups.begin(), report_.groups.end(), [](const GoTimerGroup& a, const GoTimerGroup& b) {
          bool of_runtime_a = a.kind == GoTimerKind::kOther, of_runtime_b = b.kind == GoTimerKind::kOther;
          return std::tuple(of_runtime_a, b.useless.value_or(0) > 0, b.count) <
                 std::tuple(of_runtime_b, a.useless.value_or(0) > 0, a.count);
        });
    return std::move(report_);
  }

 private:
  struct Key {
    GoTimerKind kind;
    std::uint64_t callback, period_ns, function;
    bool waited_for, useless;
    GoroutinePlace place;
    auto operator<=>(const Key&) const = default;
  };
  struct Group {
    std::uint64_t count = 0, soonest_ns = ~std::uint64_t{0}, latest_ns = 0, not_taken = 0;
  };

  ChannelState channel_at(std::uint64_t address) const {
    char bytes[112] = {};
    ChannelState state;
    if (!runtime_.memory().read(address, bytes, sizeof bytes)) return state;
    std::string_view view(bytes, sizeof bytes);
    state.length = field_of<std::uint64_t>(view, 0);
    state.capacity = field_of<std::uint64_t>(view, 8);
    std::uint64_t sudog = field_of<std::uint64_t>(view, runtime_.layout().channel_receivers);
    if (sudog) state.receiver = runtime_.memory().load<std::uint64_t>(sudog).value_or(0);
    return state;
  }

  void note_goroutine(const GoTimer& timer) {
    if (timer.kind == GoTimerKind::kSleep) places_.want(timer.argument);
    if (timer.kind != GoTimerKind::kChannel) return;
    ChannelState state = channel_at(timer.argument);
    if (state.receiver) places_.want(state.receiver);
    channels_[timer.argument] = state;
  }

  void add(const GoTimer& timer) {
    Key key{timer.kind, timer.callback, timer.period_ns, timer.function, false, false, {}};
    std::uint64_t goroutine = timer.kind == GoTimerKind::kSleep ? timer.argument : 0;
    bool not_taken = false;
    if (timer.kind == GoTimerKind::kChannel) {
      const ChannelState& state = channels_[timer.argument];
      goroutine = state.receiver;
      not_taken = state.capacity > 0 && state.length == state.capacity;
      key.useless = useless_ && useless_->contains(timer.address);
      if (key.useless) ++(timer.period_ns ? report_.useless_tickers : report_.useless_timers);
    }
    key.waited_for = goroutine != 0;
    if (goroutine) key.place = places_.of(goroutine);
    Group& group = groups_[key];
    ++group.count;
    group.soonest_ns = std::min(group.soonest_ns, timer.when_ns);
    group.latest_ns = std::max(group.latest_ns, timer.when_ns);
    group.not_taken += not_taken ? 1 : 0;
  }

  GoTimerGroup describe(const Key& key, const Group& group) const {
    GoTimerGroup result;
    result.kind = key.kind;
    result.callback = runtime_.frames().function_at(key.callback);
    result.period_ns = key.period_ns;
    if (key.function) result.function = runtime_.frames().calls({key.function}).back();
    if (!key.place.pcs.empty()) result.calls = runtime_.frames().calls(key.place.pcs);
    if (key.place.creator_pc) result.creator = runtime_.frames().call_before(key.place.creator_pc);
    result.count = group.count;
    result.soonest_ns = group.soonest_ns;
    result.latest_ns = group.latest_ns;
    result.waited_for = key.waited_for;
    result.not_taken = group.not_taken;
    if (useless_ && key.kind == GoTimerKind::kChannel) result.useless = key.useless ? group.count : 0;
    return result;
  }

  const GoRuntime& runtime_;
  const absl::flat_hash_set<std::uint64_t>* useless_;
  GoroutinePlaces places_;
  absl::flat_hash_map<std::uint64_t, ChannelState> channels_;  // by address
  std::map<Key, Group> groups_;
  TimerReport report_;
};

}  // namespace

Result<TimerReport> look_at_timers(const GoRuntime& runtime,
                                   const absl::flat_hash_set<std::uint64_t>* useless) {
  return Builder(runtime, useless).build();
}

}  // namespace dwell
