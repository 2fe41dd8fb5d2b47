// SPDX-License-Identifier: Apache-2.0
// Circles of threads through locks that name no owner, as those of Rust: who holds them is told by the addresses in frames.
#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/text.h"
#include "userspace/threads/judge.h"

namespace dwell {
namespace {

// A lock that is released wakes one of its waiters up: of threads that all slept for so long, none did.
constexpr std::uint64_t kSleptNs = 3'000'000'000;
constexpr std::size_t kLongestCircle = 8;

}  // namespace

// Who could end the wait of a thread: the owner that the lock names, else those whose frames have its address.
std::vector<std::size_t> Judge::likely_holders_of(std::size_t thread) const {
  if (next_[thread]) return {*next_[thread]};
  std::vector<std::size_t> holders;
  const LockFacts* lock = lock_of(thread);
  if (!lock) return holders;
  for (const LikelyHolder& holder : lock->likely)
    for (std::size_t i = 0; i < report_.threads.size(); ++i)
      if (facts(i).tid == holder.tid) holders.push_back(i);
  return holders;
}

// From `at` back to `start`, by threads that have slept long behind locks.
bool Judge::find_circle(std::size_t start, std::size_t at, std::vector<std::size_t>& path) const {
  path.push_back(at);
  for (std::size_t holder : likely_holders_of(at)) {
    if (holder == start) return true;
    bool usable = holder > start && needs_another(holder) && waited(holder) >= kSleptNs && !explained_[holder] && std::ranges::count(path, holder) == 0;
    if (usable && path.size() < kLongestCircle && find_circle(start, holder, path)) return true;
  }
  path.pop_back();
  return false;
}

// Threads that wait to write a lock which they have to read, by their own code: each waits for itself, and for the others.
void Judge::find_upgrades() {
  for (std::size_t l = 0; l < report_.locks.size(); ++l) {
    const LockFacts& lock = report_.locks[l];
    auto reads = [&](std::size_t thread) { return std::ranges::find(lock.upgrading, facts(thread).tid, &LikelyHolder::tid); };
    std::vector<std::size_t> threads = waiting_for(l, [&](std::size_t thread) {
      return needs_another(thread) && !explained_[thread] && waited(thread) >= kSleptNs && reads(thread) != lock.upgrading.end();
    });
    if (threads.empty() || !lock.readers) continue;
    bool one = threads.size() == 1, all_read = threads.size() <= lock.readers;
    Verdict verdict{.kind = VerdictKind::kDeadlock, .certainty = all_read ? Certainty::kLikely : Certainty::kPossible, .threads = threads};
    verdict.locks = {static_cast<std::int32_t>(l)};
    verdict.headline = one ? fmt::format("{} waits to write what it likely holds to read itself: {}", name(threads[0]), lock.words)
                           : fmt::format("{} wait to write what {} of them likely hold{} to read: {}", count_threads(threads.size()), all_read ? "each" : "some", all_read ? "s" : "", lock.words);
    for (std::size_t thread : threads) {
      verdict.evidence.push_back(fmt::format("{}; its {} locks it to read on every way to where it waits, and does not unlock it", waits_words(thread),
                                             reads(thread)->function.empty() ? "function" : "frame of " + reads(thread)->function));
      explained_[thread] = true;
    }
    std::vector<std::size_t> behind = waiting_for(l, [&](std::size_t thread) { return needs_another(thread) && !explained_[thread]; });
    for (std::size_t thread : behind) explained_[thread] = true;
    if (!behind.empty()) verdict.evidence.push_back(fmt::format("{} more wait{} for the same lock", behind.size(), behind.size() == 1 ? "s" : ""));
    verdicts_.push_back(std::move(verdict));
  }
}

// Each circle from its first thread on.
void Judge::find_likely_deadlocks() {
  for (std::size_t start = 0; start < report_.threads.size(); ++start) {
    std::vector<std::size_t> circle;
    if (explained_[start] || !needs_another(start) || waited(start) < kSleptNs) continue;
    if (find_circle(start, start, circle)) add_likely_deadlock(circle);
  }
}

// What is built on atomics may be no lock at all, and threads of which others know the lock as well may not be those that hold it.
void Judge::add_likely_deadlock(const std::vector<std::size_t>& circle) {
  bool sure_of_locks = true, only_ones = true, is_long = true;
  for (std::size_t thread : circle) {
    sure_of_locks = sure_of_locks && facts(thread).wait != WaitKind::kFutex;
    only_ones = only_ones && likely_holders_of(thread).size() == 1;
    is_long = is_long && waited(thread) >= options_.stuck_after_ns;
  }
  // Else somebody else may as well hold one of them, and take its time.
  if ((!sure_of_locks || !only_ones) && !is_long) return;
  std::uint64_t shortest = ~0ull;
  for (std::size_t thread : circle) shortest = std::min(shortest, waited(thread));
  Verdict verdict{.kind = VerdictKind::kDeadlock, .certainty = sure_of_locks && only_ones ? Certainty::kLikely : Certainty::kPossible, .threads = circle};
  verdict.headline = circle.size() == 1 ? fmt::format("{} seems to wait for itself", name(circle[0])) : fmt::format("{} seem to wait for each other", count_threads(circle.size()));
  for (std::size_t i = 0; i < circle.size(); ++i) {
    std::size_t thread = circle[i], before = circle[(i + circle.size() - 1) % circle.size()];
    verdict.locks.push_back(facts(thread).lock);
    const LockFacts& held = *lock_of(before);
    auto holder = std::ranges::find(held.likely, facts(thread).tid, &LikelyHolder::tid);
    std::string holds = holder == held.likely.end() ? fmt::format("holds {}", held.words)
                                                    : fmt::format("likely holds {}, whose address is in its frame of {}", held.words, holder->function.empty() ? "a function without a name" : holder->function);
    verdict.evidence.push_back(fmt::format("{} {}, and {} for {}", name(thread), holds, has_waited(thread), facts(thread).waits_for));
    explained_[thread] = true;
  }
  verdict.evidence.push_back(fmt::format("These locks do not say who holds them. A thread that has locked one has its address on the stack; {}",
                                         only_ones ? "of the threads that do not wait for it, no other has" : "others have too, and may be the ones that hold it"));
  verdict.evidence.push_back(fmt::format("None of these threads has run for {}, and a lock that is released wakes one that waits for it", human_duration(shortest)));
  verdicts_.push_back(std::move(verdict));
}

}  // namespace dwell
