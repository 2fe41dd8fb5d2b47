// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/locks/evidence.h"

#include <algorithm>

#include "userspace/go/code/call_sites.h"
#include "userspace/go/runtime/stack.h"

namespace dwell {
namespace {

bool is_lock_or_runtime(std::string_view function) {
  std::string_view package = function.substr(0, function.find('.'));
  return package == "sync" || package == "internal/sync" || package == "sync/atomic" || package == "internal/runtime/atomic" || package == "runtime";
}

bool is_taken(const std::vector<LockAhead>& taken, const HeldLock& held) {
  return std::ranges::any_of(taken, [&](const LockAhead& lock) { return lock.lock == held.lock && lock.use == held.use; });
}

}  // namespace

std::size_t LockEvidence::first_frame_that_may_hold(const std::vector<std::uint64_t>& pcs) const {
  std::size_t i = 0;
  while (i < pcs.size() && is_lock_or_runtime(runtime_.frames().function_at(pcs[i]))) ++i;
  return i;
}

GoCall LockEvidence::place_of(std::uint64_t address) const {
  std::vector<GoCall> calls = runtime_.frames().calls_at(address, false);
  const GoCall* own = nullptr;
  for (const GoCall& call : calls)
    if (!own && !is_lock_or_runtime(call.function)) own = &call;
  if (!own) return GoCall();
  GoCall place = *own;
  // What the compiler wraps around a deferred call is named after the function that defers it.
  if (place.hidden) place.function = without_closures(place.function);
  return place;
}

GoCall LockEvidence::place_of_held(std::uint64_t pc, LockUse use) {
  const LockCode* code = codes_.around(pc - 1);
  std::uint64_t at = code ? code->locked_at(pc, use) : 0;
  return at && at != LockCode::kSeveral ? place_of(at) : GoCall();
}

GoroutineLocks LockEvidence::of(const Goroutine& goroutine, std::uint64_t waits_for) {
  GoroutineLocks locks;
  std::vector<std::uint64_t> pcs, sps;
  constexpr std::uint64_t kMostStack = 1 << 20;
  std::string stack(std::min(goroutine.stack_high - goroutine.sp, kMostStack), '\0');
  stack.resize(runtime_.memory().read_some(goroutine.sp, stack.data(), stack.size()));
  StackBytes bytes{goroutine.sp, stack};
  if (walk_go_stack(goroutine.pc, goroutine.sp, goroutine.stack_high, bytes, runtime_.memory(), runtime_.frames(), pcs, &sps) != WalkEnd::kRoot) {
    locks.unclear = true;
    return locks;
  }
  WordReader read = [&](std::uint64_t address) -> std::optional<std::uint64_t> {
    if (address >= goroutine.sp && address + 8 - goroutine.sp <= stack.size()) return field_of<std::uint64_t>(stack, address - goroutine.sp);
    return runtime_.memory().load<std::uint64_t>(address);
  };
  std::vector<DeferredCall> listed = deferred_in_list(runtime_, goroutine.address);
  std::vector<LockAhead> taken_inside;  // by the calls inside: what is unlocked for the moment
  std::size_t first = first_frame_that_may_hold(pcs);
  for (std::size_t i = 0; i < pcs.size(); ++i) {
    if (runtime_.frames().function_at(pcs[i]) == kWaitOnCondition && !add_given_up(goroutine, taken_inside)) {
      locks.unclear = true;
      return locks;
    }
    if (i < first || !codes_.concerns_locks(pcs[i] - 1)) continue;
    GoFrameAt frame{pcs[i], sps[i], runtime_.frames().step(pcs[i]).depth};
    LocksAhead ahead = locks_ahead_of_frame(codes_, frame.pc, frame.sp, read);
    bool waiting = waits_for && i == first;
    GoroutineLocks here = of_frame(frame, waiting, ahead, listed, read);
    locks.unclear = locks.unclear || here.unclear;
    for (HeldLock& held : here.held) {
      bool known = std::ranges::any_of(locks.held, [&](const HeldLock& other) { return other.lock == held.lock && other.use == held.use; });
      if (waiting && held.lock == waits_for) continue;
      if (is_taken(taken_inside, held)) {
        locks.unclear = true;
      } else if (!known) {
        locks.held.push_back(std::move(held));
      }
    }
    taken_inside.insert(taken_inside.end(), ahead.locked.begin(), ahead.locked.end());
    if (waiting) add_taken_again(frame, waits_for, taken_inside);
  }
  return locks;
}

// It waits without the condition's lock, and takes it again. False: which one that is was not found.
bool LockEvidence::add_given_up(const Goroutine& goroutine, std::vector<LockAhead>& taken) {
  std::uint64_t condition = conditions_.of(goroutine);
  std::uint64_t lock = condition ? conditions_.lock_of(condition) : 0;
  for (LockUse use : {LockUse::kMutex, LockUse::kWrite, LockUse::kRead}) taken.push_back({lock, use, 0, false});
  return lock != 0;
}

// What it waits for, if it may have unlocked that for its caller before.
void LockEvidence::add_taken_again(const GoFrameAt& frame, std::uint64_t lock, std::vector<LockAhead>& taken) {
  const LockCode* code = codes_.around(frame.pc - 1);
  for (LockUse use : {LockUse::kMutex, LockUse::kWrite, LockUse::kRead})
    if (code && code->gave_back_at(frame.pc, use)) taken.push_back({lock, use, frame.pc, false});
}

GoroutineLocks LockEvidence::of_frame(const GoFrameAt& frame, bool waiting, const LocksAhead& ahead, const std::vector<DeferredCall>& listed, const WordReader& read) {
  GoroutineLocks here;
  const LockCode* code = codes_.around(frame.pc - 1);
  std::vector<DeferredCall> deferred = deferred_in_frame(runtime_, frame, read);
  for (const DeferredCall& call : listed)
    if (call.sp == frame.sp) deferred.push_back(call);
  for (const DeferredCall& call : deferred) {
    for (const LockAhead& lock : locks_ahead_of_closure(codes_, call.closure, read).unlocked) {
      HeldLock held{lock.lock, lock.use, true, true, place_of(lock.at), place_of_held(frame.pc, lock.use)};
      bool unlocked_meanwhile = is_taken(ahead.locked, held) && code && !code->locked_at(frame.pc, lock.use);
      if (unlocked_meanwhile)
        here.unclear = true;
      else
        here.held.push_back(std::move(held));
    }
  }
  add_ahead(frame, waiting, ahead, here);
  return here;
}

// What the code unlocks that it returns to. It is certain if every way to where it waits has locked such a lock.
void LockEvidence::add_ahead(const GoFrameAt& frame, bool waiting, const LocksAhead& ahead, GoroutineLocks& locks) {
  const LockCode* code = codes_.around(frame.pc - 1);
  if (!code) return;
  for (const LockAhead& lock : ahead.unlocked) {
    std::uint64_t by = code->locked_at(frame.pc, lock.use);
    bool locked = waiting ? by == LockCode::kSeveral : by != 0;  // beside the one that it waits for
    if (!locked && !lock.on_all_ways) continue;
    locks.held.push_back({lock.lock, lock.use, locked, false, place_of(lock.at), place_of_held(frame.pc, lock.use)});
  }
  for (LockUse use : {LockUse::kMutex, LockUse::kWrite, LockUse::kRead}) {
    bool found = std::ranges::any_of(locks.held, [&](const HeldLock& held) { return held.use == use; });
    if (!waiting && code->locked_at(frame.pc, use) && !found) locks.unclear = true;
  }
}

std::vector<GoCall> LockEvidence::may_return_locked() {
  std::vector<GoCall> places;
  const GoTable& table = runtime_.module().table;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record || of_standard_library(record->name)) continue;
    const LockCode* code = codes_.around(record->entry);
    if (!code || !code->unlocks() || code->gives_back() || !codes_.returns_locked(*code)) continue;
    GoCall place = place_of(code->returns_locked_by());
    if (!place.function.empty()) places.push_back(std::move(place));
  }
  return places;
}

}  // namespace dwell
