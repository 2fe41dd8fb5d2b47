// SPDX-License-Identifier: Apache-2.0
// Locks that goroutines wait for: who holds them, circles of holders, and locks that nobody holds any more.
#include "userspace/go/locks/holders.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/parts.h"

namespace dwell {
namespace {

constexpr std::uint64_t kManyLockWaiters = 4;  // at one line
constexpr std::size_t kMostHoldersNamed = 2;

bool waits_for_mutex(const GoroutineGroup& group) {
  return group.waits && !group.of_runtime && !group.examples.empty() && group.examples[0].wait.lock &&
         (group.examples[0].wait.lock->kind == "sync.Mutex" || group.examples[0].wait.lock->kind == "sync.RWMutex");
}

std::string lock_at(const std::string& kind, const std::string& place) { return fmt::format("{} at {}", kind, place); }

// "is ready to run at main.go:7 (main.work)", "waits (chan receive) at main.go:7 (main.work), for 41 s or more"
std::string whereabouts_of(const GoLockHolder& holder) {
  std::string at = holder.at.function.empty() ? "" : " at " + place_text(holder.at);
  if (holder.state == "runnable" || holder.state == "preempted") return "is ready to run" + at;
  if (holder.state == "syscall") return "is in a system call" + at;
  std::string text = fmt::format("itself waits ({}){}", holder.state, at);
  if (holder.waiting_ns) text += fmt::format(", for {} or more", human_duration(*holder.waiting_ns));
  return text;
}

std::string hold_words(const GoLockHolder& holder) {
  std::string how = holder.use == LockUse::kRead ? " for reading" : "", unlock = holder.use == LockUse::kRead ? "RUnlock" : "Unlock";
  if (holder.deferred) return fmt::format("{}, with a deferred {} at {},", how, unlock, place_text(holder.unlocks));
  if (!holder.locked.function.empty()) return fmt::format("{}, locked at {},", how, place_text(holder.locked));
  return fmt::format("{}, as it goes on to {} at {},", how, unlock, place_text(holder.unlocks));
}

std::string holder_sentence(const GoLockHolder& holder, std::string_view what) {
  return fmt::format("goroutine {} {}holds {}{} and {}", holder.goroutine, holder.certain ? "" : "very likely ", what, hold_words(holder), whereabouts_of(holder));
}

std::vector<std::string> holder_sentences(const ContendedLock& lock, std::string_view what) {
  std::vector<std::string> sentences;
  for (const GoLockHolder& holder : lock.holders)
    if (sentences.size() < kMostHoldersNamed) sentences.push_back(holder_sentence(holder, what));
  if (lock.holders.size() > kMostHoldersNamed)
    sentences.push_back(fmt::format("{} more hold it, too", counted(lock.holders.size() - kMostHoldersNamed, "goroutine")));
  return sentences;
}

bool is_told_stuck(const GoroutineReport& report, const ContendedLock& lock) {
  return report.stuck && std::ranges::all_of(lock.examples, [&](std::uint64_t id) { return report.stuck->goroutines.contains(id); });
}

Finding* stuck_finding(GoroutineReport& report) {
  auto found = std::ranges::find_if(report.findings, [](const Finding& finding) { return finding.weight == FindingWeight::kStuck; });
  return found != report.findings.end() ? &*found : nullptr;
}

void append(std::vector<std::string>& to, std::vector<std::string> more) { to.insert(to.end(), more.begin(), more.end()); }

void add_circle(const GoLockReport& locks, const LockCircle& circle, GoroutineReport& report) {
  std::vector<std::string> evidence;
  bool all_told = true;
  for (std::size_t index : circle.locks) {
    const ContendedLock& lock = locks.locks[index];
    all_told = all_told && is_told_stuck(report, lock);
    std::string what = fmt::format("the {} that {} at {}", lock.kind, lock.waiters == 1 ? "is waited for" : count_text(lock.waiters) + " wait for", place_text(lock.waits_at));
    auto in_circle = [&](const GoLockHolder& holder) {
      return std::ranges::any_of(circle.locks, [&](std::size_t other) { return locks.locks[other].address == holder.waits_for; });
    };
    auto holder = std::ranges::find_if(lock.holders, in_circle);
    if (holder != lock.holders.end()) evidence.push_back(holder_sentence(*holder, what));
  }
  if (Finding* told = stuck_finding(report); told && all_told) return append(told->evidence, std::move(evidence));
  Finding& finding = report.findings.emplace_back();
  finding.weight = FindingWeight::kStuck;
  finding.proved = circle.certain;
  std::string will = circle.certain ? "can never" : "very likely will never";
  finding.headline = circle.locks.size() == 1 ? fmt::format("a goroutine waits for a lock that it holds itself, and {} go on", will)
                                              : fmt::format("{} wait for each other's locks, and {} go on", counted(circle.locks.size(), "goroutine"), will);
  finding.evidence = std::move(evidence);
  finding.command = fmt::format("dwell go {}", report.pid);
}

void add_nobodys(const GoLockReport& locks, const ContendedLock& lock, GoroutineReport& report) {
  std::vector<std::string> evidence;
  constexpr std::size_t kMostFunctions = 3;
  const std::vector<GoCall>& may = locks.may_return_locked;
  if (!may.empty() && may.size() <= kMostFunctions) {
    std::string places;
    for (const GoCall& call : may) places += (places.empty() ? "" : " or ") + place_text(call);
    evidence.push_back(fmt::format("what is locked at {} is not unlocked on every way out of that function", places));
  }
  std::string nobody = "no goroutine is on the way to unlocking it: whoever locked it returned, or ended, without Unlock";
  if (is_told_stuck(report, lock)) {
    if (Finding* told = stuck_finding(report)) {
      told->evidence.push_back("very likely " + nobody);
      return append(told->evidence, std::move(evidence));
    }
  }
  Finding& finding = report.findings.emplace_back();
  finding.weight = FindingWeight::kStuck;
  finding.headline = fmt::format("{} {} for a {} that very likely nobody holds any more", counted(lock.waiters, "goroutine"),
                                 lock.waiters == 1 ? "waits" : "wait", lock_at(lock.kind, place_text(lock.waits_at)));
  finding.evidence.push_back(nobody);
  append(finding.evidence, std::move(evidence));
  finding.command = fmt::format("dwell go {}", report.pid);
}

void add_pile_ups(const GoLockReport& locks, bool with_holders_only, GoroutineReport& report) {
  std::map<std::string, std::uint64_t> waiters;  // by line and kind of lock
  for (const GoroutineGroup& group : report.groups)
    if (waits_for_mutex(group) && !group.stuck) waiters[lock_at(group.examples[0].wait.lock->kind, own_place_text(group.calls))] += group.count;
  for (const auto& [where, count] : waiters) {
    if (count < kManyLockWaiters) continue;
    std::vector<std::string> evidence;
    bool nobodys = false;
    for (const ContendedLock& lock : locks.locks) {
      if (lock_at(lock.kind, place_text(lock.waits_at)) != where) continue;
      nobodys = nobodys || lock.nobody;
      if (evidence.empty()) evidence = holder_sentences(lock, "it");
    }
    if (nobodys || (with_holders_only && evidence.empty())) continue;  // told already, or by all snapshots together
    Finding& finding = report.findings.emplace_back();
    finding.weight = FindingWeight::kPileUp;
    finding.headline = fmt::format("{} wait for a {}", counted(count, "goroutine"), where);
    finding.evidence = std::move(evidence);
    finding.command = fmt::format("dwell record {} --go-blocked", report.pid);
  }
}

}  // namespace

void add_locks(const GoRuntime& runtime, GoroutineReport& report, FindingsOf what) {
  if (std::ranges::none_of(report.groups, waits_for_mutex)) return;
  GoLockReport locks = find_lock_holders(runtime);
  for (const LockCircle& circle : locks.circles) add_circle(locks, circle, report);
  auto in_circle = [&](std::size_t index) {
    return std::ranges::any_of(locks.circles, [&](const LockCircle& circle) { return std::ranges::find(circle.locks, index) != circle.locks.end(); });
  };
  for (std::size_t i = 0; i < locks.locks.size(); ++i) {
    const ContendedLock& lock = locks.locks[i];
    if (lock.nobody) {
      add_nobodys(locks, lock, report);
    } else if (Finding* told = stuck_finding(report); told && !in_circle(i) && is_told_stuck(report, lock)) {
      append(told->evidence, holder_sentences(lock, fmt::format("the {}", lock_at(lock.kind, place_text(lock.waits_at)))));
    }
  }
  add_pile_ups(locks, what == FindingsOf::kRecording, report);
}

}  // namespace dwell
