// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/conditions.h"

#include <algorithm>
#include <string>

#include "userspace/go/runtime/stack.h"

namespace dwell {
namespace {

// sync.Cond: its lock, an interface; the runtime's notifyList of two counters and a lock; and that list's first sudog.
constexpr std::uint64_t kLockData = 8, kFirstWaiter = 32;
constexpr std::size_t kMostWaiters = 100'000;
constexpr std::size_t kMostTried = 4096;  // addresses

}  // namespace

std::uint64_t GoConditions::of(const Goroutine& goroutine) {
  std::vector<std::uint64_t> pcs, sps;
  constexpr std::uint64_t kNear = 2048;  // the frame is one of the innermost
  std::string stack(std::min(goroutine.stack_high - goroutine.sp, kNear), '\0');
  stack.resize(runtime_.memory().read_some(goroutine.sp, stack.data(), stack.size()));
  GoFrames& frames = runtime_.frames();
  if (walk_go_stack(goroutine.pc, goroutine.sp, goroutine.stack_high, {goroutine.sp, stack}, runtime_.memory(), frames, pcs, &sps) != WalkEnd::kRoot) return 0;
  auto waits = std::ranges::find_if(pcs, [&](std::uint64_t pc) { return frames.function_at(pc) == kWaitOnCondition; });
  if (waits == pcs.end()) return 0;
  std::uint64_t sp = sps[static_cast<std::size_t>(waits - pcs.begin())];
  // With its argument's place in the caller's frame.
  constexpr std::uint64_t kReturnAndArgument = 24;
  std::uint64_t end = sp + frames.step(*waits).depth + kReturnAndArgument;
  for (std::uint64_t at = sp; at + 8 <= end && at + 8 - goroutine.sp <= stack.size(); at += 8) {
    std::uint64_t word = field_of<std::uint64_t>(stack, at - goroutine.sp);
    bool may_be = word % 8 == 0 && word >= 4096 && !(word >= goroutine.stack_low && word < goroutine.stack_high);
    if (may_be && waiters_at(word).contains(goroutine.address)) return word;
  }
  return 0;
}

const absl::flat_hash_set<std::uint64_t>& GoConditions::waiters_at(std::uint64_t condition) {
  if (waiters_.size() > kMostTried) waiters_.clear();
  auto [known, is_new] = waiters_.try_emplace(condition);
  if (!is_new) return known->second;
  constexpr std::uint64_t kNext = 8;
  std::uint64_t sudog = runtime_.memory().load<std::uint64_t>(condition + kFirstWaiter).value_or(0);
  for (std::size_t i = 0; sudog && i < kMostWaiters; ++i) {
    std::optional<std::uint64_t> goroutine = runtime_.memory().load<std::uint64_t>(sudog);
    if (!goroutine || !known->second.insert(*goroutine).second) break;
    sudog = runtime_.memory().load<std::uint64_t>(sudog + kNext).value_or(0);
  }
  return known->second;
}

std::uint64_t GoConditions::lock_of(std::uint64_t condition) const { return runtime_.memory().load<std::uint64_t>(condition + kLockData).value_or(0); }

}  // namespace dwell
