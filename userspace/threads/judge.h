// SPDX-License-Identifier: Apache-2.0
// Judge: what is wrong with the threads of one look. Pure. The order is that of gravity: what one step has explained
// no later one tells again.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "userspace/threads/report.h"
#include "userspace/threads/verdicts.h"
#include "userspace/threads/wait_chain.h"

namespace dwell {

class Judge {
 public:
  Judge(const ThreadReport& report, const VerdictOptions& options);
  std::vector<Verdict> judge();

 private:
  const ThreadFacts& facts(std::size_t thread) const { return report_.threads[thread].facts; }
  std::uint64_t waited(std::size_t thread) const { return report_.threads[thread].waiting_ns.value_or(0); }
  const LockFacts* lock_of(std::size_t thread) const;
  std::string name(std::size_t thread) const;
  std::string has_waited(std::size_t thread) const;
  std::string waits_words(std::size_t thread) const;  // "name (12) has waited 3 s for mutex m"
  std::string what_it_does(std::size_t thread) const;

  // Sleeps, and did so all the time that it was looked at.
  bool holds_still(std::size_t thread) const;
  // Only another thread of this process can end its wait.
  bool needs_another(std::size_t thread) const;
  // Workers at the same place: that there are several says that it is their place.
  bool in_a_pool(std::size_t thread) const;
  std::optional<std::size_t> owner_index(std::size_t thread) const;
  template <typename Wanted>
  std::vector<std::size_t> waiting_for(std::size_t lock, Wanted wanted) const;
  bool leads_to(std::size_t from, std::size_t to) const;

  // What nothing in the process ends.
  void find_deadlocks();
  void add_deadlock(std::size_t first);
  void find_likely_deadlocks();
  void find_upgrades();
  std::vector<std::size_t> likely_holders_of(std::size_t thread) const;
  bool find_circle(std::size_t start, std::size_t at, std::vector<std::size_t>& path) const;
  void add_likely_deadlock(const std::vector<std::size_t>& circle);
  void find_circles_of_processes();
  void add_circle(const ProcessCircle& circle);
  bool has_lasted(const ProcessCircle& circle) const;
  std::string chain_words(const ChainWait& wait) const;
  void find_interrupted_holders();
  bool allocates_in_interrupted_allocator(std::size_t thread) const;
  bool alone_in_allocator(std::size_t thread) const;
  void find_missing_owners();
  void mark_those_behind();
  void find_stall();

  // What may end, and what is no trouble.
  void find_reader_circles();
  void find_parked();
  std::optional<std::size_t> who_parked(const ThreadGroup& group) const;
  void find_convoys();
  void add_convoy(std::int32_t lock, std::vector<std::size_t> threads);
  void find_lost();
  void find_spinning();
  void find_pools();
  void find_idle();

  const ThreadReport& report_;
  const VerdictOptions& options_;
  std::vector<bool> explained_;                   // by thread
  std::vector<std::optional<std::size_t>> next_;  // by thread: who holds what it waits for
  bool somebody_acts_ = false;
  std::vector<Verdict> verdicts_;
};

// "1 thread", "3 threads"
std::string count_threads(std::size_t count);

template <typename Wanted>
std::vector<std::size_t> Judge::waiting_for(std::size_t lock, Wanted wanted) const {
  std::vector<std::size_t> threads;
  for (std::size_t i = 0; i < report_.threads.size(); ++i)
    if (facts(i).lock == static_cast<std::int32_t>(lock) && wanted(i)) threads.push_back(i);
  std::ranges::stable_sort(threads, std::greater<>(), [&](std::size_t thread) { return waited(thread); });
  return threads;
}

}  // namespace dwell
