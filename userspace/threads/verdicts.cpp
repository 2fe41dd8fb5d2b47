// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/verdicts.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

#include "userspace/base/text.h"
#include "userspace/threads/report.h"

namespace dwell {
namespace {

constexpr std::size_t kConvoyThreads = 3;
constexpr std::uint64_t kConvoyNs = 1'000'000'000;

constexpr std::array<std::string_view, 6> kKindNames = {"deadlock", "owner gone", "stalled",
                                                        "convoy",   "lost",       "idle pool"};
constexpr std::array<std::string_view, 3> kCertaintyNames = {"certain", "likely", "possible"};

// Kinds of things that only a thread of this process can end, unless they are shared with another.
bool is_internal(WaitKind kind) { return kind >= WaitKind::kMutex && kind <= WaitKind::kFutex; }

bool is_work(WaitKind kind) {
  switch (kind) {
    case WaitKind::kCondition:
    case WaitKind::kSemaphore:
    case WaitKind::kFutex:
    case WaitKind::kInput:
    case WaitKind::kConnection:
    case WaitKind::kPoll:
    case WaitKind::kMessage:
    case WaitKind::kIoRing:
      return true;
    default:
      return false;
  }
}

std::string threads_text(std::size_t count) {
  return fmt::format("{} thread{}", count, count == 1 ? "" : "s");
}

class Judge {
 public:
  Judge(const ThreadReport& report, const VerdictOptions& options)
      : report_(report), options_(options), explained_(report.threads.size()), next_(report.threads.size()) {
    for (std::size_t i = 0; i < next_.size(); ++i) next_[i] = owner_index(i);
  }

  std::vector<Verdict> judge() {
    find_deadlocks();
    find_missing_owners();
    mark_those_behind();
    find_stall();
    find_reader_circles();
    find_convoys();
    find_lost();
    find_pools();
    return std::move(verdicts_);
  }

 private:
  const ThreadFacts& facts(std::size_t thread) const { return report_.threads[thread].facts; }
  std::uint64_t waited(std::size_t thread) const { return report_.threads[thread].waiting_ns.value_or(0); }
  const LockFacts* lock_of(std::size_t thread) const {
    std::int32_t lock = facts(thread).lock;
    return lock < 0 ? nullptr : &report_.locks[static_cast<std::size_t>(lock)];
  }

  std::string name(std::size_t thread) const {
    return fmt::format("{} ({})", facts(thread).name, facts(thread).tid);
  }

  // Sleeps, and did so all the time that it was looked at.
  bool holds_still(std::size_t thread) const {
    ThreadState state = facts(thread).state;
    return !facts(thread).moved &&
           (state == ThreadState::kSleeping || state == ThreadState::kUninterruptible);
  }

  // Only another thread of this process can end its wait.
  bool needs_another(std::size_t thread) const {
    const LockFacts* lock = lock_of(thread);
    return holds_still(thread) && is_internal(facts(thread).wait) && !facts(thread).timed &&
           !(lock && lock->shared);
  }

  std::optional<std::size_t> owner_index(std::size_t thread) const {
    const LockFacts* lock = lock_of(thread);
    if (!holds_still(thread) || !lock || lock->owner_state != OwnerState::kThread) return std::nullopt;
    auto owner = std::ranges::lower_bound(report_.threads, lock->owner, {},
                                          [](const ThreadRow& row) { return row.facts.tid; });
    if (owner == report_.threads.end() || owner->facts.tid != lock->owner) return std::nullopt;
    return static_cast<std::size_t>(owner - report_.threads.begin());
  }

  std::string has_waited(std::size_t thread) const {
    return report_.threads[thread].waiting_ns ? "has waited " + human_duration(waited(thread)) : "waits";
  }

  // ---- deadlock ----

  // Each thread waits for at most one other, so from each a single path leads on: into a circle, or to an
  // end.
  void find_deadlocks() {
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

  void add_deadlock(std::size_t first) {
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
                                  : fmt::format("{} wait for each other", threads_text(count));
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
    verdict.evidence.push_back(
        count == 1 ? "The lock itself names its owner, which did not run while it was read"
                   : "The locks themselves name their owners, none of which ran while they were read");
    if (!timed)
      for (std::size_t thread : verdict.threads) explained_[thread] = true;
    verdicts_.push_back(std::move(verdict));
  }

  // ---- owner gone ----

  void find_missing_owners() {
    for (std::size_t l = 0; l < report_.locks.size(); ++l) {
      const LockFacts& lock = report_.locks[l];
      bool forked = lock.owner_state == OwnerState::kElsewhere && !lock.shared;
      if (lock.owner_state != OwnerState::kGone && !forked) continue;
      Verdict verdict{.kind = VerdictKind::kOwnerGone};
      verdict.threads =
          waiting_for(l, [&](std::size_t thread) { return holds_still(thread) && !facts(thread).timed; });
      if (verdict.threads.empty()) continue;
      verdict.locks = {static_cast<std::int32_t>(l)};
      verdict.headline = fmt::format("{} wait{} for {}, held by {}", threads_text(verdict.threads.size()),
                                     verdict.threads.size() == 1 ? "s" : "", lock.words, lock.owner_words);
      verdict.evidence = {
          forked ? "In this process no thread holds it: nobody can unlock its copy of the lock"
                 : fmt::format("The lock names thread {} as its owner, before and after all threads of "
                               "the process were looked at, and it is none of them",
                               lock.owner)};
      for (std::size_t thread : verdict.threads) explained_[thread] = true;
      verdicts_.push_back(std::move(verdict));
    }
  }

  template <typename Wanted>
  std::vector<std::size_t> waiting_for(std::size_t lock, Wanted wanted) const {
    std::vector<std::size_t> threads;
    for (std::size_t i = 0; i < report_.threads.size(); ++i)
      if (facts(i).lock == static_cast<std::int32_t>(lock) && wanted(i)) threads.push_back(i);
    std::ranges::stable_sort(threads, std::greater<>(), [&](std::size_t thread) { return waited(thread); });
    return threads;
  }

  // Who waits for one that never goes on doesn't either.
  void mark_those_behind() {
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
        verdicts_[v].evidence.push_back(fmt::format("{} more wait{} behind {}", threads_text(behind[v]),
                                                    behind[v] == 1 ? "s" : "",
                                                    verdicts_[v].threads.size() == 1 ? "it" : "them"));
    }
  }

  // ---- nobody left ----

  void find_stall() {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < report_.threads.size(); ++i) {
      if (facts(i).state == ThreadState::kEnded || explained_[i]) continue;
      if (!needs_another(i)) {
        somebody_acts_ = true;
        return;
      }
      left.push_back(i);
    }
    if (left.empty()) return;
    Verdict verdict{.kind = VerdictKind::kStalled, .certainty = Certainty::kLikely};
    verdict.threads = left;
    verdict.headline =
        fmt::format("no thread is left that could wake {}",
                    left.size() == 1 ? name(left[0]) : fmt::format("these {}", threads_text(left.size())));
    for (std::size_t thread : left)
      if (verdict.evidence.size() < 8)
        verdict.evidence.push_back(
            fmt::format("{} {} for {}", name(thread), has_waited(thread), facts(thread).waits_for));
    if (left.size() > 8) verdict.evidence.push_back(fmt::format("and {} more", left.size() - 8));
    verdict.evidence.push_back(
        "Every thread of the process waits for another one, none for a time or for anything "
        "outside; only a signal's handler could still wake one");
    for (std::size_t thread : left) explained_[thread] = true;
    verdicts_.push_back(std::move(verdict));
  }

  // ---- readers, which rwlocks count but don't name ----

  // Whoever has it to read may be one of those that wait behind the writer.
  void find_reader_circles() {
    for (std::size_t i = 0; i < report_.threads.size(); ++i) {
      const LockFacts* lock = lock_of(i);
      bool for_readers =
          lock && lock->kind == WaitKind::kReadWriteLock && lock->owner_state == OwnerState::kUnnamed;
      if (!for_readers || explained_[i] || !needs_another(i) || waited(i) < options_.stuck_after_ns) continue;
      Verdict verdict{.kind = VerdictKind::kDeadlock, .certainty = Certainty::kPossible, .threads = {i}};
      verdict.locks = {facts(i).lock};
      for (std::size_t other = 0; other < next_.size(); ++other)
        if (other != i && leads_to(other, i)) verdict.threads.push_back(other);
      if (verdict.threads.size() == 1) continue;
      verdict.headline =
          fmt::format("{} waits for readers, and one of those that wait behind it may be one", name(i));
      for (std::size_t thread : verdict.threads) {
        verdict.evidence.push_back(
            fmt::format("{} {} for {}", name(thread), has_waited(thread), facts(thread).waits_for));
        explained_[thread] = true;
      }
      verdicts_.push_back(std::move(verdict));
    }
  }

  bool leads_to(std::size_t from, std::size_t to) const {
    std::optional<std::size_t> at = next_[from];
    for (std::size_t steps = 0; at && *at != to && steps < next_.size(); ++steps) at = next_[*at];
    return at && *at == to;
  }

  // ---- convoy ----

  void find_convoys() {
    for (std::size_t l = 0; l < report_.locks.size(); ++l) {
      const LockFacts& lock = report_.locks[l];
      if (lock.owner_state != OwnerState::kThread || lock.kind == WaitKind::kJoin) continue;
      std::vector<std::size_t> threads =
          waiting_for(l, [&](std::size_t thread) { return holds_still(thread) && !explained_[thread]; });
      if (threads.empty()) continue;
      std::uint64_t longest = waited(threads[0]);
      bool many = threads.size() >= kConvoyThreads && longest >= kConvoyNs;
      if (!many && longest < options_.stuck_after_ns) continue;
      add_convoy(static_cast<std::int32_t>(l), std::move(threads));
    }
  }

  void add_convoy(std::int32_t lock, std::vector<std::size_t> threads) {
    const LockFacts& held = report_.locks[static_cast<std::size_t>(lock)];
    Verdict verdict{.kind = VerdictKind::kConvoy};
    verdict.headline = fmt::format("{} wait{} for {}, held by {}; the longest for {}",
                                   threads_text(threads.size()), threads.size() == 1 ? "s" : "", held.words,
                                   held.owner_words, human_duration(waited(threads[0])));
    std::optional<std::size_t> holder = next_[threads[0]];
    for (std::size_t steps = 0; holder && steps < report_.threads.size(); ++steps) {
      verdict.evidence.push_back(what_it_does(*holder));
      holder = next_[*holder];
    }
    verdict.threads = std::move(threads);
    verdict.locks = {lock};
    for (std::size_t thread : verdict.threads) explained_[thread] = true;
    verdicts_.push_back(std::move(verdict));
  }

  std::string what_it_does(std::size_t thread) const {
    const ThreadFacts& doing = facts(thread);
    switch (doing.state) {
      case ThreadState::kRunning:
        return name(thread) + " runs";
      case ThreadState::kReady:
        return name(thread) + " is ready to run, and waits for a CPU";
      case ThreadState::kStopped:
        return name(thread) + " was stopped by a signal or a debugger";
      default:
        break;
    }
    std::string moved = doing.moved ? ", or did when it was looked at" : "";
    return fmt::format("{} {} for {}{}", name(thread), has_waited(thread), doing.waits_for, moved);
  }

  // ---- lost ----

  // Workers at the same place that wait for the same thing: that there are several says that it is their
  // place.
  bool in_a_pool(std::size_t thread) const {
    const ThreadGroup& group = report_.groups[report_.threads[thread].group];
    return group.threads.size() > 1 && is_work(facts(thread).wait);
  }

  void find_lost() {
    Verdict verdict{.kind = VerdictKind::kLost, .certainty = Certainty::kPossible};
    for (std::size_t i = 0; i < report_.threads.size(); ++i) {
      if (explained_[i] || next_[i] || !needs_another(i) || in_a_pool(i) ||
          waited(i) < options_.stuck_after_ns)
        continue;
      verdict.threads.push_back(i);
    }
    if (verdict.threads.empty()) return;
    verdict.headline = fmt::format(
        "{} may be lost: {} waited longer than {} without a limit, and nobody is known who "
        "would wake {}",
        threads_text(verdict.threads.size()), verdict.threads.size() == 1 ? "it has" : "they have",
        human_duration(options_.stuck_after_ns), verdict.threads.size() == 1 ? "it" : "them");
    for (std::size_t thread : verdict.threads)
      verdict.evidence.push_back(
          fmt::format("{} {} for {}", name(thread), has_waited(thread), facts(thread).waits_for));
    verdict.evidence.push_back(
        "Other threads still run or wait for something outside; whether one of them is to wake "
        "it can't be seen");
    verdicts_.push_back(std::move(verdict));
  }

  // ---- idle ----

  void find_pools() {
    if (!somebody_acts_) return;
    for (const ThreadGroup& group : report_.groups) {
      std::size_t first = group.threads.front();
      if (group.threads.size() < 2 || explained_[first] || !holds_still(first) || !is_work(facts(first).wait))
        continue;
      Verdict verdict{.kind = VerdictKind::kIdlePool, .certainty = Certainty::kLikely};
      verdict.threads = group.threads;
      verdict.headline = fmt::format("{} wait for work at the same place: {}",
                                     threads_text(group.threads.size()), facts(first).waits_for);
      verdicts_.push_back(std::move(verdict));
    }
  }

  const ThreadReport& report_;
  const VerdictOptions& options_;
  std::vector<bool> explained_;                   // by thread
  std::vector<std::optional<std::size_t>> next_;  // by thread: who holds what it waits for
  bool somebody_acts_ = false;
  std::vector<Verdict> verdicts_;
};

}  // namespace

std::string_view name_of(VerdictKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }
std::string_view name_of(Certainty certainty) { return kCertaintyNames[static_cast<std::size_t>(certainty)]; }

std::vector<Verdict> find_verdicts(const ThreadReport& report, const VerdictOptions& options) {
  return Judge(report, options).judge();
}

}  // namespace dwell
