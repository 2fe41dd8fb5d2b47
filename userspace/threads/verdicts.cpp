// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/verdicts.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "userspace/base/text.h"
#include "userspace/threads/handled_signals.h"
#include "userspace/threads/interrupted.h"
#include "userspace/threads/judge.h"

namespace dwell {
namespace {

// Longer than anybody has the allocator's lock.
constexpr std::uint64_t kLongInAllocatorNs = 1'000'000'000;

constexpr std::array<std::string_view, 8> kKindNames = {"deadlock", "owner gone", "stalled",   "convoy",
                                                        "lost",     "spinning",   "idle pool", "idle"};
constexpr std::array<std::string_view, 3> kCertaintyNames = {"certain", "likely", "possible"};

// Kinds of things that only a thread of this process can end, unless they are shared with another.
bool is_internal(WaitKind kind) { return kind >= WaitKind::kMutex && kind <= WaitKind::kFutex; }

}  // namespace

std::string count_threads(std::size_t count) { return fmt::format("{} thread{}", count, count == 1 ? "" : "s"); }

Judge::Judge(const ThreadReport& report, const VerdictOptions& options)
    : report_(report), options_(options), explained_(report.threads.size()), next_(report.threads.size()) {
  for (std::size_t i = 0; i < next_.size(); ++i) next_[i] = owner_index(i);
}

std::vector<Verdict> Judge::judge() {
  find_deadlocks();
  find_circles_of_processes();
  find_interrupted_holders();
  find_missing_owners();
  find_upgrades();
  find_likely_deadlocks();
  mark_those_behind();
  find_stall();
  find_reader_circles();
  find_parked();
  find_convoys();
  find_lost();
  find_spinning();
  find_pools();
  find_idle();
  std::ranges::stable_sort(verdicts_, {}, [](const Verdict& verdict) { return !verdict.is_trouble(); });
  return std::move(verdicts_);
}

const LockFacts* Judge::lock_of(std::size_t thread) const {
  std::int32_t lock = facts(thread).lock;
  return lock < 0 ? nullptr : &report_.locks[static_cast<std::size_t>(lock)];
}

std::string Judge::name(std::size_t thread) const {
  return fmt::format("{} ({})", facts(thread).name, facts(thread).tid);
}

std::string Judge::has_waited(std::size_t thread) const {
  return report_.threads[thread].waiting_ns ? "has waited " + human_duration(waited(thread)) : "waits";
}

std::string Judge::waits_words(std::size_t thread) const {
  return fmt::format("{} {} for {}", name(thread), has_waited(thread), facts(thread).waits_for);
}

bool Judge::holds_still(std::size_t thread) const {
  ThreadState state = facts(thread).state;
  return !facts(thread).moved && (state == ThreadState::kSleeping || state == ThreadState::kUninterruptible);
}

// A System V semaphore is no futex, and any process may raise it.
bool Judge::needs_another(std::size_t thread) const {
  const LockFacts* lock = lock_of(thread);
  return holds_still(thread) && lock && is_internal(facts(thread).wait) && !facts(thread).timed && !lock->shared;
}

std::optional<std::size_t> Judge::owner_index(std::size_t thread) const {
  const LockFacts* lock = lock_of(thread);
  if (!holds_still(thread) || !lock || lock->owner_state != OwnerState::kThread) return std::nullopt;
  auto owner = std::ranges::lower_bound(report_.threads, lock->owner, {},
                                        [](const ThreadRow& row) { return row.facts.tid; });
  if (owner == report_.threads.end() || owner->facts.tid != lock->owner) return std::nullopt;
  return static_cast<std::size_t>(owner - report_.threads.begin());
}

// ---- deadlock ----

// Each thread waits for at most one other, so from each a single path leads on: into a circle, or to an end.
void Judge::find_deadlocks() {
  std::vector<std::size_t> seen_from(next_.size(), next_.size());
  for (std::size_t start = 0; start < next_.size(); ++start) {
    std::optional<std::size_t> at = start;
    while (at && seen_from[*at] == next_.size()) {
      seen_from[*at] = start;
      at = next_[*at];
    }
    if (at && seen_from[*at] == start) add_deadlock(*at);
  }
}

void Judge::add_deadlock(std::size_t first) {
  Verdict verdict{.kind = VerdictKind::kDeadlock};
  bool timed = false;
  std::size_t at = first;
  do {
    verdict.threads.push_back(at);
    verdict.locks.push_back(facts(at).lock);
    timed |= facts(at).timed;
    at = *next_[at];
  } while (at != first);
  std::size_t count = verdict.threads.size();
  verdict.headline = count == 1 ? fmt::format("{} waits for itself", name(first))
                                : fmt::format("{} wait for each other", count_threads(count));
  if (timed) {
    verdict.certainty = Certainty::kPossible;
    verdict.headline += " until one of the waits ends by itself";
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t thread = verdict.threads[i];
    const LockFacts& held = report_.locks[static_cast<std::size_t>(verdict.locks[(i + count - 1) % count])];
    std::string holds = held.kind == WaitKind::kJoin ? "is waited for to end" : "holds " + held.words;
    verdict.evidence.push_back(fmt::format("{} {} and {} for {}", name(thread), holds, has_waited(thread),
                                           facts(thread).waits_for));
  }
  if (count == 1 && signal_frame_in(report_.stack_of(first).frames.frames()))
    verdict.evidence.push_back("It waits in a signal's handler; what the handler interrupted cannot go on and unlock");
  verdict.evidence.push_back(count == 1
                                 ? "The lock itself names its owner, which did not run while it was read"
                                 : "The locks themselves name their owners, none of which ran while they were read");
  if (!timed)
    for (std::size_t thread : verdict.threads) explained_[thread] = true;
  verdicts_.push_back(std::move(verdict));
}

// ---- a handler that needs what its thread was interrupted in ----

bool Judge::allocates_in_interrupted_allocator(std::size_t thread) const {
  const LockFacts* lock = lock_of(thread);
  if (!needs_another(thread) || lock->kind != WaitKind::kMutex || lock->owner_state != OwnerState::kUnnamed)
    return false;
  std::vector<ReportFrame> stack = report_.stack_of(thread).frames;
  std::optional<std::size_t> signal = signal_frame_in(stack);
  return signal && any_inside_allocator(std::span(stack).first(*signal)) &&
         any_inside_allocator(std::span(stack).subspan(*signal));
}

// The allocator's lock names no owner, but only who is inside the allocator can have it.
bool Judge::alone_in_allocator(std::size_t thread) const {
  for (std::size_t other = 0; other < report_.threads.size(); ++other) {
    if (other == thread || facts(other).state == ThreadState::kEnded) continue;
    if (!holds_still(other)) return false;
    if (facts(other).lock == facts(thread).lock) continue;
    const ThreadStack& stack = report_.stack_of(other);
    std::vector<ReportFrame> frames = stack.frames;
    if (!stack.incomplete.empty() || any_inside_allocator(frames) || is_forking(frames)) return false;
  }
  return true;
}

void Judge::find_interrupted_holders() {
  for (std::size_t i = 0; i < report_.threads.size(); ++i) {
    if (explained_[i] || !allocates_in_interrupted_allocator(i)) continue;
    bool alone = alone_in_allocator(i);
    if (!alone && waited(i) < kLongInAllocatorNs) continue;
    Verdict verdict{.kind = VerdictKind::kDeadlock,
                    .certainty = alone ? Certainty::kCertain : Certainty::kLikely,
                    .threads = {i},
                    .locks = {facts(i).lock}};
    verdict.headline = fmt::format("{} waits for itself: a signal's handler needs the allocator that it interrupted",
                                   name(i));
    verdict.evidence = {waits_words(i),
                        "A signal interrupted it inside the allocator, and its handler allocates or frees memory, "
                        "which is not async-signal-safe",
                        alone ? "No other thread is inside the allocator but to wait for the same lock, and none "
                                "ran while they were looked at"
                              : "Whether another thread has the lock can't be told, but it is held for moments only"};
    explained_[i] = true;
    for (std::size_t other = 0; other < report_.threads.size(); ++other)
      if (facts(other).lock == facts(i).lock && needs_another(other)) next_[other] = i;
    next_[i] = i;
    verdicts_.push_back(std::move(verdict));
  }
}

// ---- owner gone ----

void Judge::find_missing_owners() {
  for (std::size_t l = 0; l < report_.locks.size(); ++l) {
    const LockFacts& lock = report_.locks[l];
    bool forked = lock.owner_state == OwnerState::kElsewhere && !lock.shared;
    if (lock.owner_state != OwnerState::kGone && !forked) continue;
    Verdict verdict{.kind = VerdictKind::kOwnerGone};
    verdict.threads = waiting_for(l, [&](std::size_t thread) { return holds_still(thread) && !facts(thread).timed; });
    if (verdict.threads.empty()) continue;
    verdict.locks = {static_cast<std::int32_t>(l)};
    verdict.headline = fmt::format("{} wait{} for {}, held by {}", count_threads(verdict.threads.size()),
                                   verdict.threads.size() == 1 ? "s" : "", lock.words, lock.owner_words);
    verdict.evidence = {forked ? "In this process no thread holds it: nobody can unlock its copy of the lock"
                               : fmt::format("The lock names thread {} as its owner, before and after all threads of "
                                             "the process were looked at, and it is none of them",
                                             lock.owner)};
    for (std::size_t thread : verdict.threads) explained_[thread] = true;
    verdicts_.push_back(std::move(verdict));
  }
}

// Who waits for one that never goes on doesn't either.
void Judge::mark_those_behind() {
  std::vector<std::size_t> behind(verdicts_.size());
  for (std::size_t v = 0; v < verdicts_.size(); ++v) {
    if (!verdicts_[v].stuck_for_good()) continue;
    std::vector<bool> stuck(next_.size());
    for (std::size_t thread : verdicts_[v].threads) stuck[thread] = true;
    for (bool grew = true; grew;) {
      grew = false;
      for (std::size_t i = 0; i < next_.size(); ++i) {
        if (stuck[i] || !next_[i] || !stuck[*next_[i]] || facts(i).timed) continue;
        stuck[i] = explained_[i] = grew = true;
        ++behind[v];
      }
    }
    if (behind[v])
      verdicts_[v].evidence.push_back(fmt::format("{} more wait{} behind {}", count_threads(behind[v]),
                                                  behind[v] == 1 ? "s" : "",
                                                  verdicts_[v].threads.size() == 1 ? "it" : "them"));
  }
}

// ---- nobody left ----

// What is likely is explained, but is not all that is certain of it.
void Judge::find_stall() {
  std::vector<bool> in_doubt(report_.threads.size());
  for (const Verdict& verdict : verdicts_) {
    if (verdict.stuck_for_good() || !verdict.processes.empty()) continue;
    for (std::size_t i = 0; i < in_doubt.size(); ++i) in_doubt[i] = in_doubt[i] || std::ranges::count(verdict.locks, facts(i).lock);
  }
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < report_.threads.size(); ++i) {
    if (facts(i).state == ThreadState::kEnded || (explained_[i] && !in_doubt[i])) continue;
    if (!needs_another(i)) {
      somebody_acts_ = true;
      return;
    }
    left.push_back(i);
  }
  if (left.empty()) return;
  // Where a handler may post what they wait for, a wait is no news before it is long; Go handles all signals.
  bool of_go = std::ranges::any_of(left, [&](std::size_t i) { return lock_of(i)->words.starts_with(kGoRuntimeLock); });
  bool is_long = std::ranges::all_of(left, [&](std::size_t i) { return waited(i) >= options_.stuck_after_ns; });
  bool handles = report_.handled_signals.value_or(1) != 0;
  // A handler may post what they wait for; without one, nothing in the process runs any more.
  somebody_acts_ = handles && (of_go || !is_long);
  if (somebody_acts_) return;
  Verdict verdict{.kind = VerdictKind::kStalled, .certainty = handles ? Certainty::kPossible : Certainty::kCertain};
  verdict.threads = left;
  verdict.headline =
      fmt::format("no thread is left that could wake {}{}",
                  left.size() == 1 ? name(left[0]) : fmt::format("these {}", count_threads(left.size())),
                  handles ? ", but a signal's handler may" : "");
  constexpr std::size_t kTold = 8;
  for (std::size_t i = 0; i < std::min(left.size(), kTold); ++i) verdict.evidence.push_back(waits_words(left[i]));
  if (left.size() > kTold) verdict.evidence.push_back(fmt::format("and {} more", left.size() - kTold));
  verdict.evidence.push_back(
      fmt::format("Every thread of the process waits for another one, none for a time or for anything outside; {}",
                  report_.handled_signals ? "it handles " + signal_names(*report_.handled_signals)
                                          : "which signals it handles is not known"));
  for (std::size_t thread : left) explained_[thread] = true;
  verdicts_.push_back(std::move(verdict));
}

std::string_view name_of(VerdictKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }
std::string_view name_of(Certainty certainty) { return kCertaintyNames[static_cast<std::size_t>(certainty)]; }

std::vector<Verdict> find_verdicts(const ThreadReport& report, const VerdictOptions& options) {
  return Judge(report, options).judge();
}

}  // namespace dwell
