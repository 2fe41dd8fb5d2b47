// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/wait_chain.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

namespace dwell {
namespace {

constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }
// That people and service managers send to end a process or to control it, and that a write of its own raises.
constexpr std::uint64_t kSentByPeople = bit_of(SIGINT) | bit_of(SIGTERM) | bit_of(SIGHUP) | bit_of(SIGQUIT) | bit_of(SIGPIPE) | bit_of(SIGWINCH) |
                                        bit_of(SIGTSTP) | bit_of(SIGCONT) | bit_of(SIGTTIN) | bit_of(SIGTTOU);

class CircleFinder {
 public:
  explicit CircleFinder(const WaitChain& chain) : chain_(chain), stuck_(chain.waits.size()) {
    for (std::size_t i = 0; i < stuck_.size(); ++i) stuck_[i] = chain.waits[i].settled && !chain.waits[i].wakers.empty();
    for (const ChainProcess& process : chain.processes)
      if (process.whole) stuck_processes_.insert(process.pid);
  }

  std::vector<ProcessCircle> find() {
    while (drop_what_may_go_on()) {
    }
    for (std::uint32_t pid : stuck_processes_) reach_from(pid);
    std::vector<ProcessCircle> circles;
    std::set<std::uint32_t> told;
    for (std::uint32_t pid : stuck_processes_) {
      if (told.contains(pid)) continue;
      std::vector<std::uint32_t> members;
      for (std::uint32_t other : stuck_processes_)
        if (other == pid || (reach_[pid].contains(other) && reach_[other].contains(pid))) members.push_back(other);
      if (members.size() < 2) continue;
      told.insert(members.begin(), members.end());
      circles.push_back(circle_of(std::move(members)));
    }
    return circles;
  }

 private:
  // What is stuck as long as everything is stuck that could wake it; the largest such set is what is left.
  bool drop_what_may_go_on() {
    bool dropped = false;
    for (std::size_t i = 0; i < stuck_.size(); ++i) {
      auto stays = [&](std::uint32_t pid) { return stuck_processes_.contains(pid); };
      if (!stuck_[i] || std::ranges::all_of(chain_.waits[i].wakers, stays)) continue;
      stuck_[i] = false;
      dropped = true;
    }
    for (std::size_t i = 0; i < stuck_.size(); ++i)
      if (!stuck_[i] && stuck_processes_.erase(chain_.waits[i].pid)) dropped = true;
    return dropped;
  }

  void reach_from(std::uint32_t pid) {
    std::vector<std::uint32_t> next{pid};
    while (!next.empty()) {
      std::uint32_t from = next.back();
      next.pop_back();
      for (const ChainWait& wait : chain_.waits) {
        if (wait.pid != from) continue;
        for (std::uint32_t to : wait.wakers)
          if (stuck_processes_.contains(to) && reach_[pid].insert(to).second) next.push_back(to);
      }
    }
  }

  ProcessCircle circle_of(std::vector<std::uint32_t> members) {
    ProcessCircle circle;
    auto is_member = [&](std::uint32_t pid) { return std::ranges::find(members, pid) != members.end(); };
    // The members, and whom they wait for besides.
    std::set<std::uint32_t> concerned(members.begin(), members.end());
    for (std::uint32_t pid : members) concerned.insert(reach_[pid].begin(), reach_[pid].end());
    bool output = false;
    for (std::size_t i = 0; i < chain_.waits.size(); ++i) {
      const ChainWait& wait = chain_.waits[i];
      if (!concerned.contains(wait.pid)) continue;
      if (circle.unproved.empty()) circle.unproved = wait.unproved;
      if (!is_member(wait.pid)) continue;
      output |= wait.blocked_output;
      bool leads_on = std::ranges::any_of(wait.wakers, [&](std::uint32_t to) { return to != wait.pid && is_member(to); });
      (leads_on ? circle.waits : circle.others).push_back(i);
    }
    for (const ChainProcess& process : chain_.processes)
      if (concerned.contains(process.pid)) circle.signals |= process.handled_signals;
    // Without anybody who has something to say, they may all rightly wait to be told by a signal.
    if (circle.unproved.empty() && (circle.signals & ~(output ? kSentByPeople : 0))) circle.unproved = "a signal's handler may end a wait";
    circle.processes = std::move(members);
    return circle;
  }

  const WaitChain& chain_;
  std::vector<bool> stuck_;
  std::set<std::uint32_t> stuck_processes_;
  std::map<std::uint32_t, std::set<std::uint32_t>> reach_;
};

}  // namespace

std::vector<ProcessCircle> find_process_circles(const WaitChain& chain) { return CircleFinder(chain).find(); }

}  // namespace dwell
