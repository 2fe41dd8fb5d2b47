// SPDX-License-Identifier: Apache-2.0
// ProcessChain: of one look, who could end the waits of its threads, and the circles that these form with other processes,
// with the stacks of those.
#pragma once

#include <sys/types.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "userspace/recording/writer.h"
#include "userspace/threads/chain_explorer.h"
#include "userspace/threads/looker.h"
#include "userspace/threads/stacks.h"

namespace dwell {

class ProcessChain {
 public:
  // The writer outlives it.
  ProcessChain(pid_t pid, RecordingWriter& writer) : pid_(pid), writer_(writer) {}

  // Adds to what each thread waits for who could end that, and to the look the chain, if it has a circle. `threads` are
  // those of the look, in its order.
  void follow(std::span<const SeenThread* const> threads, const CallTarget& target, ThreadLooker& looker, ThreadLook& look);

  // These names, and those of the stacks of other processes. Valid until the next call.
  const std::vector<LocationSymbol>& add_names(const std::vector<LocationSymbol>& own);
  const std::string& problem() const { return problem_; }  // why not all could be found out, "" if all could

 private:
  ChainWait own_wait(const ThreadLook& look, const ThreadFacts& facts) const;
  bool is_own(const ChainWait& wait) const { return wait.pid == static_cast<std::uint32_t>(pid_); }
  void confirm(std::span<const SeenThread* const> threads, ThreadLooker& looker, WaitChain& chain) const;
  void add_stacks(ThreadLook& look);
  void add_stacks_of(pid_t pid, WaitChain& chain);

  pid_t pid_;
  RecordingWriter& writer_;
  std::string process_name_, problem_;
  std::vector<std::unique_ptr<StackCollector>> others_;  // of processes in a circle
  std::vector<LocationSymbol> names_;
};

}  // namespace dwell
