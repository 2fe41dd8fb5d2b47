// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/locks/holders.h"

#include <absl/container/flat_hash_map.h>
#include <time.h>

#include <algorithm>
#include <map>

#include "userspace/base/clock.h"
#include "userspace/go/goroutines/reader.h"
#include "userspace/go/goroutines/state.h"
#include "userspace/go/goroutines/stillness.h"
#include "userspace/go/locks/evidence.h"
#include "userspace/go/waits/lock_kinds.h"
#include "userspace/go/waits/semaphores.h"

namespace dwell {
namespace {

constexpr std::size_t kMostSuspects = 2048;  // goroutines in code that has to do with locks, of those that wait for one, and of the others
constexpr std::size_t kMostExampleWaiters = 16;
constexpr std::uint64_t kStandstillNs = 500'000'000;

struct LockWaiter {
  Goroutine goroutine;  // without its stack
  std::string kind;
  GoCall at;
};

void rest_for(std::uint64_t ns) {
  timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (::nanosleep(&time, &time) != 0) {
  }
}

class HolderSearch {
 public:
  explicit HolderSearch(const GoRuntime& runtime) : runtime_(runtime), codes_(runtime), evidence_(runtime, codes_) {}

  GoLockReport run() {
    Result<LookFigures> read = read_goroutines(runtime_, [this](const Goroutine& goroutine) { sort(goroutine); });
    if (!read || waiting_.empty()) return {};
    group_waiters();
    for (const Goroutine& suspect : suspects_) examine(suspect);
    for (const Goroutine& suspect : waiting_suspects_) examine(suspect);
    for (auto& [address, lock] : locks_) settle(lock);
    find_nobodys();
    GoLockReport report;
    for (auto& [address, lock] : locks_) report.locks.push_back(std::move(lock.found));
    std::ranges::stable_sort(report.locks, std::greater<>(), &ContendedLock::waiters);
    report.circles = circles_among(report.locks);
    if (std::ranges::any_of(report.locks, &ContendedLock::nobody)) report.may_return_locked = evidence_.may_return_locked();
    return report;
  }

 private:
  struct Lock {
    ContendedLock found;
    std::vector<Stillness> waiters;  // some
    std::map<std::string, std::pair<std::uint64_t, GoCall>> places;
  };

  // Of a stack, by its addresses: what it waits for, if for a lock, and whether it has to do with locks otherwise.
  struct StackFacts {
    const LockKind* waits_for = nullptr;
    GoCall at;
    bool suspect = false;
  };

  const StackFacts& facts_of(const Goroutine& goroutine) {
    auto [known, is_new] = facts_.try_emplace(goroutine.pcs);
    StackFacts& facts = known->second;
    if (!is_new) return facts;
    std::vector<GoCall> calls = runtime_.frames().calls(goroutine.pcs);
    facts.waits_for = lock_kind(calls);
    if (const GoCall* own = own_call(calls)) facts.at = *own;
    std::size_t first = evidence_.first_frame_that_may_hold(goroutine.pcs);
    for (std::size_t i = first; i < goroutine.pcs.size() && !facts.suspect; ++i) facts.suspect = codes_.concerns_locks(goroutine.pcs[i] - 1);
    return facts;
  }

  void sort(const Goroutine& goroutine) {
    if (goroutine.stack_state != GoStackState::kWhole) {
      unseen_ = true;
      return;
    }
    const StackFacts& facts = facts_of(goroutine);
    bool waits_for_lock = waits(goroutine) && facts.waits_for && is_mutex(*facts.waits_for);
    if (waits_for_lock) {
      waiting_.push_back({goroutine, std::string(facts.waits_for->kind), facts.at});
      waiting_.back().goroutine.pcs.clear();
      semaphore_offset_[goroutine.address] = facts.waits_for->semaphore;
    }
    if (!facts.suspect) return;
    std::vector<Goroutine>& suspects = waits_for_lock ? waiting_suspects_ : suspects_;
    if (suspects.size() >= kMostSuspects)
      unseen_ = true;
    else
      suspects.push_back(goroutine);
  }

  void group_waiters() {
    absl::flat_hash_map<std::uint64_t, std::uint64_t> semaphores = read_semaphore_waiters(runtime_).semaphore_of;
    for (const LockWaiter& waiter : waiting_) {
      std::uint64_t semaphore = 0;
      if (waiter.goroutine.waiting)
        semaphore = runtime_.memory().load<std::uint64_t>(waiter.goroutine.waiting + runtime_.layout().sudog_element).value_or(0);
      if (auto found = semaphores.find(waiter.goroutine.address); !semaphore && found != semaphores.end()) semaphore = found->second;
      if (!semaphore) continue;
      std::uint64_t address = semaphore - semaphore_offset_[waiter.goroutine.address];
      waits_for_[waiter.goroutine.id] = address;
      Lock& lock = locks_[address];
      lock.found.address = address;
      if (lock.found.kind.empty() || waiter.kind == "sync.RWMutex") lock.found.kind = waiter.kind;
      ++lock.found.waiters;
      if (lock.waiters.size() < kMostExampleWaiters) {
        lock.waiters.push_back(stillness_of(waiter.goroutine));
        lock.found.examples.push_back(waiter.goroutine.id);
      }
      auto& [count, place] = lock.places[waiter.at.function + std::to_string(waiter.at.line)];
      ++count;
      place = waiter.at;
    }
    for (auto& [address, lock] : locks_) {
      auto most = std::ranges::max_element(lock.places, {}, [](const auto& each) { return each.second.first; });
      lock.found.waits_at = most->second.second;
    }
  }

  void examine(const Goroutine& suspect) {
    auto waits_for = waits_for_.find(suspect.id);
    GoroutineLocks seen = evidence_.of(suspect, waits_for != waits_for_.end() ? waits_for->second : 0);
    if (!still_there(stillness_of(suspect), suspect.stack_high)) {
      unseen_ = true;
      return;
    }
    if (seen.unclear) unseen_ = true;
    for (const HeldLock& held : seen.held) {
      auto lock = locks_.find(held.lock);
      if (lock == locks_.end()) continue;
      bool of_mutex = lock->second.found.kind == "sync.Mutex";
      if (of_mutex != (held.use == LockUse::kMutex)) continue;
      lock->second.found.holders.push_back(holder(suspect, held));
    }
  }

  GoLockHolder holder(const Goroutine& goroutine, const HeldLock& held) {
    GoLockHolder result;
    result.goroutine = goroutine.id;
    result.use = held.use;
    result.certain = held.certain;
    result.deferred = held.deferred;
    result.unlocks = held.unlocks;
    result.locked = held.locked;
    result.state = goroutine_state(runtime_, goroutine);
    result.at = facts_of(goroutine).at;
    std::uint64_t now = monotonic_ns();
    if (goroutine.wait_since_ns && goroutine.wait_since_ns < now) result.waiting_ns = now - goroutine.wait_since_ns;
    if (auto found = waits_for_.find(goroutine.id); found != waits_for_.end()) result.waits_for = found->second;
    return result;
  }

  bool still_there(const Stillness& before, std::uint64_t stack_high = 0) const {
    std::optional<Goroutine> now = read_goroutine_state(runtime_, before.address);
    return now && !has_run_between(before, stillness_of(*now)) && (!stack_high || now->stack_high == stack_high);
  }

  bool is_locked(const ContendedLock& lock) const {
    constexpr std::int32_t kLocked = 1;
    return (runtime_.memory().load<std::int32_t>(lock.address).value_or(0) & kLocked) != 0;
  }

  // Who waited then, waits now: so it did when the holder held.
  void settle(Lock& lock) {
    std::vector<GoLockHolder>& holders = lock.found.holders;
    bool any_waits = std::ranges::any_of(lock.waiters, [&](const Stillness& waiter) { return still_there(waiter); });
    if (!any_waits || (lock.found.kind == "sync.Mutex" && !is_locked(lock.found))) holders.clear();
    std::size_t exclusive = static_cast<std::size_t>(std::ranges::count_if(holders, [](const GoLockHolder& h) { return h.use != LockUse::kRead; }));
    if (exclusive > 1 || (exclusive == 1 && holders.size() > 1))
      for (GoLockHolder& holder : holders) holder.certain = false;  // they contradict each other
  }

  // Locked, and nobody is on the way to its Unlock. Whoever moves meanwhile might be.
  void find_nobodys() {
    std::vector<Lock*> open;
    for (auto& [address, lock] : locks_) {
      bool own = !of_standard_library(lock.found.waits_at.function);
      if (!unseen_ && own && lock.found.kind == "sync.Mutex" && lock.found.holders.empty() && is_locked(lock.found)) open.push_back(&lock);
    }
    if (open.empty()) return;
    rest_for(kStandstillNs);
    for (Lock* lock : open) {
      bool all_still = std::ranges::all_of(lock->waiters, [&](const Stillness& waiter) { return still_there(waiter); });
      lock->found.nobody = all_still && is_locked(lock->found);
    }
  }

  const GoRuntime& runtime_;
  LockCodes codes_;
  LockEvidence evidence_;
  std::map<std::vector<std::uint64_t>, StackFacts> facts_;
  std::vector<LockWaiter> waiting_;
  std::vector<Goroutine> suspects_, waiting_suspects_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> semaphore_offset_;  // by goroutine's address
  absl::flat_hash_map<std::uint64_t, std::uint64_t> waits_for_;         // lock, by goroutine's number
  std::map<std::uint64_t, Lock> locks_;
  bool unseen_ = false;  // some goroutine may hold something that was not seen
};

}  // namespace

std::vector<LockCircle> circles_among(const std::vector<ContendedLock>& locks) {
  absl::flat_hash_map<std::uint64_t, std::size_t> by_address;
  for (std::size_t i = 0; i < locks.size(); ++i) by_address[locks[i].address] = i;
  // Of several readers each must get out; one that cannot is enough.
  auto next_of = [&](std::size_t lock) -> std::optional<std::pair<std::size_t, bool>> {
    for (const GoLockHolder& holder : locks[lock].holders)
      if (auto found = by_address.find(holder.waits_for); holder.waits_for && found != by_address.end()) return std::pair(found->second, holder.certain);
    return std::nullopt;
  };
  std::vector<LockCircle> circles;
  std::vector<int> color(locks.size(), 0);
  for (std::size_t start = 0; start < locks.size(); ++start) {
    std::vector<std::size_t> way;
    std::optional<std::size_t> at = start;
    while (at && !color[*at]) {
      color[*at] = static_cast<int>(start) + 1;
      way.push_back(*at);
      std::optional<std::pair<std::size_t, bool>> next = next_of(*at);
      at = next ? std::optional(next->first) : std::nullopt;
    }
    if (!at || color[*at] != static_cast<int>(start) + 1) continue;
    LockCircle circle{{std::ranges::find(way, *at), way.end()}, true};
    for (std::size_t lock : circle.locks) circle.certain = circle.certain && next_of(lock)->second;
    circles.push_back(std::move(circle));
  }
  return circles;
}

GoLockReport find_lock_holders(const GoRuntime& runtime) { return HolderSearch(runtime).run(); }

}  // namespace dwell
