// SPDX-License-Identifier: Apache-2.0
// Waits that may end: behind a slow holder, for long, or for work.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "userspace/base/text.h"
#include "userspace/threads/judge.h"

namespace dwell {
namespace {

constexpr std::size_t kConvoyThreads = 3;
constexpr std::uint64_t kConvoyNs = 1'000'000'000;

// What threads wait for that have nothing to do: a wait of any length says nothing.
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
    case WaitKind::kSignal:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Judge::in_a_pool(std::size_t thread) const {
  const ThreadGroup& group = report_.groups[report_.threads[thread].group];
  return group.threads.size() > 1 && is_work(facts(thread).wait);
}

// ---- readers, which rwlocks count but don't name ----

// Whoever has it to read may be one of those that wait behind the writer.
void Judge::find_reader_circles() {
  for (std::size_t i = 0; i < report_.threads.size(); ++i) {
    const LockFacts* lock = lock_of(i);
    bool for_readers = lock && lock->kind == WaitKind::kReadWriteLock && lock->owner_state == OwnerState::kUnnamed;
    if (!for_readers || explained_[i] || !needs_another(i) || waited(i) < options_.stuck_after_ns) continue;
    Verdict verdict{.kind = VerdictKind::kDeadlock, .certainty = Certainty::kPossible, .threads = {i}};
    verdict.locks = {facts(i).lock};
    for (std::size_t other = 0; other < next_.size(); ++other)
      if (other != i && leads_to(other, i)) verdict.threads.push_back(other);
    if (verdict.threads.size() == 1) continue;
    verdict.headline = fmt::format("{} waits for readers, and one of those that wait behind it may be one", name(i));
    for (std::size_t thread : verdict.threads) {
      verdict.evidence.push_back(waits_words(thread));
      explained_[thread] = true;
    }
    verdicts_.push_back(std::move(verdict));
  }
}

bool Judge::leads_to(std::size_t from, std::size_t to) const {
  std::optional<std::size_t> at = next_[from];
  for (std::size_t steps = 0; at && *at != to && steps < next_.size(); ++steps) at = next_[*at];
  return at && *at == to;
}

// ---- workers that are parked behind locks ----

// Threads at one place, each behind a lock that nobody else wants, all held by one that waits for work itself: that is
// how some programs switch their workers off (redis its I/O threads).
std::optional<std::size_t> Judge::who_parked(const ThreadGroup& group) const {
  std::optional<std::size_t> holder = next_[group.threads.front()];
  if (group.threads.size() < 2 || !holder || next_[*holder] || !is_work(facts(*holder).wait)) return std::nullopt;
  std::vector<std::int32_t> locks;
  for (std::size_t thread : group.threads) {
    if (explained_[thread] || !holds_still(thread) || next_[thread] != holder) return std::nullopt;
    if (facts(thread).wait != WaitKind::kMutex) return std::nullopt;
    locks.push_back(facts(thread).lock);
  }
  std::ranges::sort(locks);
  bool each_its_own = std::ranges::adjacent_find(locks) == locks.end();
  return each_its_own ? holder : std::nullopt;
}

void Judge::find_parked() {
  for (const ThreadGroup& group : report_.groups) {
    std::optional<std::size_t> holder = who_parked(group);
    if (!holder) continue;
    Verdict verdict{.kind = VerdictKind::kIdlePool, .certainty = Certainty::kLikely};
    verdict.threads = group.threads;
    verdict.headline = fmt::format("{} are parked at the same place: each waits for a lock of its own, held by {}",
                                   count_threads(group.threads.size()), name(*holder));
    verdict.evidence = {what_it_does(*holder)};
    for (std::size_t thread : group.threads) explained_[thread] = true;
    verdicts_.push_back(std::move(verdict));
  }
}

// ---- convoy ----

void Judge::find_convoys() {
  for (std::size_t l = 0; l < report_.locks.size(); ++l) {
    const LockFacts& lock = report_.locks[l];
    if (lock.owner_state != OwnerState::kThread || lock.kind == WaitKind::kJoin) continue;
    // Of a cycle that ends by itself it was told already.
    std::vector<std::size_t> threads = waiting_for(l, [&](std::size_t thread) {
      return holds_still(thread) && !explained_[thread] && !leads_to(thread, thread);
    });
    if (threads.empty()) continue;
    std::uint64_t longest = waited(threads[0]);
    bool many = threads.size() >= kConvoyThreads && longest >= kConvoyNs;
    if (!many && longest < options_.stuck_after_ns) continue;
    add_convoy(static_cast<std::int32_t>(l), std::move(threads));
  }
}

void Judge::add_convoy(std::int32_t lock, std::vector<std::size_t> threads) {
  const LockFacts& held = report_.locks[static_cast<std::size_t>(lock)];
  Verdict verdict{.kind = VerdictKind::kConvoy};
  verdict.headline = fmt::format("{} wait{} for {}, held by {}; the longest for {}", count_threads(threads.size()),
                                 threads.size() == 1 ? "s" : "", held.words, held.owner_words,
                                 human_duration(waited(threads[0])));
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

std::string Judge::what_it_does(std::size_t thread) const {
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
  return waits_words(thread) + (doing.moved ? ", or did when it was looked at" : "");
}

// ---- lost ----

// Locks are held for moments, and somebody holds each; who waits to be told of something may wait for ever, and
// should.
void Judge::find_lost() {
  Verdict verdict{.kind = VerdictKind::kLost, .certainty = Certainty::kPossible};
  for (std::size_t i = 0; i < report_.threads.size(); ++i) {
    bool odd = needs_another(i) && !is_work(facts(i).wait) && waited(i) >= options_.stuck_after_ns;
    if (odd && !explained_[i] && !next_[i]) verdict.threads.push_back(i);
  }
  if (verdict.threads.empty()) return;
  bool one = verdict.threads.size() == 1;
  verdict.headline = fmt::format(
      "{} may be lost: {} waited longer than {} without a limit, for what names nobody who would end the wait",
      count_threads(verdict.threads.size()), one ? "it has" : "they have", human_duration(options_.stuck_after_ns));
  for (std::size_t thread : verdict.threads) {
    verdict.evidence.push_back(waits_words(thread));
    explained_[thread] = true;
  }
  verdict.evidence.push_back(fmt::format(
      "Other threads still run or wait for something outside; whether one of them is to end {} can't be seen",
      one ? "the wait" : "these waits"));
  verdicts_.push_back(std::move(verdict));
}

// ---- threads that run and get nowhere ----

// Those that read the same memory together. Whatever it is may still change: none is stuck for good.
void Judge::find_spinning() {
  std::map<std::string, Verdict> by_word;
  for (std::size_t i = 0; i < report_.threads.size(); ++i) {
    if (facts(i).spins.empty() || explained_[i]) continue;
    const std::string& word = facts(i).spins_on;
    Verdict& verdict = by_word.try_emplace(word.empty() ? name(i) : word, Verdict{.kind = VerdictKind::kSpinning, .certainty = Certainty::kLikely}).first->second;
    verdict.threads.push_back(i);
    verdict.evidence.push_back(fmt::format("{} used {} of CPU time in {} and did not sleep: {}", name(i), human_duration(facts(i).busy_ns),
                                           human_duration(facts(i).busy_over_ns), facts(i).spins));
    explained_[i] = true;
  }
  for (auto& [word, verdict] : by_word) {
    const ThreadFacts& first = facts(verdict.threads.front());
    bool one = verdict.threads.size() == 1;
    std::string who = one ? name(verdict.threads.front()) : count_threads(verdict.threads.size());
    verdict.headline = fmt::format("{} {} and get{} nowhere", who, one ? "spins" : "spin", one ? "s" : "");
    if (!first.spins_on.empty()) verdict.headline += fmt::format(": {} {}, which does not change", one ? "it reads" : "they read", first.spins_on);
    verdicts_.push_back(std::move(verdict));
  }
}

// ---- idle ----

void Judge::find_pools() {
  if (!somebody_acts_) return;
  for (const ThreadGroup& group : report_.groups) {
    std::size_t first = group.threads.front();
    bool still = std::ranges::all_of(group.threads, [&](std::size_t i) { return holds_still(i) && !explained_[i]; });
    if (group.threads.size() < 2 || !still || !is_work(facts(first).wait)) continue;
    Verdict verdict{.kind = VerdictKind::kIdlePool, .certainty = Certainty::kLikely};
    verdict.threads = group.threads;
    bool same = std::ranges::all_of(group.threads,
                                    [&](std::size_t i) { return facts(i).waits_for == facts(first).waits_for; });
    verdict.headline = fmt::format("{} wait for work at the same place: {}", count_threads(group.threads.size()),
                                   same ? facts(first).waits_for : "each on an object of its own");
    for (std::size_t thread : group.threads) explained_[thread] = true;
    verdicts_.push_back(std::move(verdict));
  }
}

// One line for all that wait, alone at their place, to be told of something.
void Judge::find_idle() {
  if (!somebody_acts_) return;
  Verdict verdict{.kind = VerdictKind::kIdle, .certainty = Certainty::kLikely};
  for (std::size_t i = 0; i < report_.threads.size(); ++i) {
    bool idle = needs_another(i) && is_work(facts(i).wait) && waited(i) >= options_.stuck_after_ns;
    if (idle && !explained_[i]) verdict.threads.push_back(i);
  }
  if (verdict.threads.empty()) return;
  std::uint64_t longest = 0;
  for (std::size_t thread : verdict.threads) {
    longest = std::max(longest, waited(thread));
    explained_[thread] = true;
  }
  bool one = verdict.threads.size() == 1;
  verdict.headline = fmt::format("{} wait{} to be told of something, {}{}; whether it is due can't be seen",
                                 count_threads(verdict.threads.size()), one ? "s" : "",
                                 one ? "for " : "the longest for ", human_duration(longest));
  verdicts_.push_back(std::move(verdict));
}

}  // namespace dwell
