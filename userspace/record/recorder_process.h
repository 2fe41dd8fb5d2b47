// SPDX-License-Identifier: Apache-2.0
// A process that a recording follows, as the recorder's parts share it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <tuple>
#include <vector>

#include "userspace/base/unique_fd.h"
#include "userspace/collect/address_space.h"
#include "userspace/record/look_budget.h"
#include "userspace/record/program_change.h"
#include "userspace/record/recorder.h"

namespace dwell {

struct Recorder::Process {
  ProcessSlot slot;
  TargetSlot target;
  ProcessInfo info;
  AddressSpace code;
  UniqueFd pidfd;
  std::uint64_t cpu_at_start_ns = 0, cpu_ns = 0;
  std::uint64_t synced_ns = 0, sync_took_ns = 0;
  std::vector<Mapping> mapped;       // executable files, at that time
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> whole_tables;  // start, device and inode of what was asked for
  LookBudget budget;
  std::uint64_t news_since_ns = 0;   // it has mapped something that was not looked at yet; 0: nothing
  ProgramChange change;
  pid_t tied_to = 0;   // the thread by which perf uprobes find its memory; 0: to be chosen with the next probes
  bool blind = false;  // the kernel ties its probes to a thread that is gone
  bool ended = false;
};

}  // namespace dwell
