// SPDX-License-Identifier: Apache-2.0
// The model of `dwell threads`: the threads of one look, those that stand at the same place as one group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/views/profile.h"
#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/threads/lock_blocks.h"
#include "userspace/views/report_stack.h"
#include "userspace/threads/verdicts.h"
#include "userspace/threads/look.h"

namespace dwell {

std::string_view name_of(ThreadState state);  // "running", "ready", "sleeping", ...
std::string_view name_of(WaitKind kind);      // "mutex", "poll", ...

struct ThreadStack {
  ReportStack frames;      // leaf first
  std::string incomplete;  // why it could not be followed to its root, "" if it could
};

struct ThreadRow {
  ThreadFacts facts;
  std::optional<std::uint64_t> waiting_ns;  // how long it has not run; none: not known
  std::size_t group = 0;
};

// Threads with the same stack, in the same state, that wait for the same kind of thing.
struct ThreadGroup {
  std::vector<std::size_t> threads;  // indices into ThreadReport::threads, the longest wait first
  ThreadStack stack, kernel_stack;
};

struct ThreadReport {
  RecordingInfo info;
  ProcessInfo process;
  std::uint64_t time_ns = 0;      // since the start of the recording
  std::uint64_t duration_ns = 0;  // of the look
  std::uint64_t now_ns = 0;       // CLOCK_MONOTONIC at its end
  std::vector<std::string> notes;
  std::vector<ThreadRow> threads;  // by tid
  std::vector<Verdict> verdicts;   // the worst first
  std::vector<LockFacts> locks;
  std::optional<std::uint64_t> handled_signals;  // as in ThreadLook
  std::vector<std::optional<BlockSite>> lock_blocks;  // by lock; shorter: nothing is known of their memory
  WaitChain chain;                  // through other processes; empty: none leads in a circle
  std::vector<ThreadStack> chain_stacks;  // by wait of the chain
  std::vector<ThreadGroup> groups;  // what is stuck for good first, then what runs, then the longest wait

  bool stuck_for_good() const;
  const ThreadStack& stack_of(std::size_t thread) const { return groups[threads[thread].group].stack; }
  const BlockSite* block_of(std::int32_t lock) const;  // null: not known
};

// Of the last look in the recording. Exit::kUsage if it has none.
Result<ThreadReport> thread_report(RecordingRef from, const VerdictOptions& options = {},
                                   const BlockSites* sites = nullptr);

// Sample types: threads, and for how long they have been blocked by then. Labels: state, wait, thread.
Result<Profile> thread_profile(const Recording& recording);

}  // namespace dwell
