// SPDX-License-Identifier: Apache-2.0
// ChainExplorer: follows the waits of a process's threads into the processes that could end them, and from there on.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "userspace/threads/other_ends.h"
#include "userspace/threads/wait_chain.h"

namespace dwell {

class ChainExplorer {
 public:
  explicit ChainExplorer(pid_t pid);
  ~ChainExplorer();

  // Who could end these waits, of threads of the process itself.
  std::vector<WaitEnds> find_ends(std::span<const BlockedCall> calls) { return ends_.find(calls); }
  // A thread of the process itself, with the ends of its wait where it is a system call of such a kind.
  void add_own(ChainWait wait, const WaitEnds* ends);
  // Follows what was added. Threads that ran since they were seen are not settled.
  WaitChain explore(std::uint64_t handled_signals);

  const std::string& problem() const { return ends_.problem(); }

 private:
  struct Foreign;
  void add_process(pid_t pid);
  void add_thread(const Foreign& process, std::size_t index, const WaitEnds* ends);
  void take(ChainWait wait, const WaitEnds* ends);
  void follow(const std::vector<std::uint32_t>& wakers);
  void check_refs();

  pid_t own_;
  OtherEnds ends_;
  WaitChain chain_;
  std::vector<std::vector<FileRefs>> needed_;    // by wait
  std::map<std::uint64_t, std::uint64_t> uses_;  // of open files, by calls in progress
  std::vector<pid_t> next_;                      // processes to look at
  std::map<pid_t, std::unique_ptr<Foreign>> seen_;
};

}  // namespace dwell
