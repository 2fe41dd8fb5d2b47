// SPDX-License-Identifier: Apache-2.0
// WaitChain: threads of several processes, what each waits for, and which processes could end that; and the circles among
// them. Facts of one look; pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

// One thread.
struct ChainWait {
  std::uint32_t pid = 0;
  Tid tid = 0;
  std::string process, thread;    // names
  std::string waits_for;          // in words
  std::uint64_t since_ns = 0;     // when it last ran; 0: not known
  StackId stack = StackId::kUnknown;
  std::vector<std::uint32_t> wakers;  // processes that could end it; its own, if another of its threads could
  bool settled = false;           // it slept all the time, without a time limit, and the wakers are all that is known
  bool blocked_output = false;    // it has something to say that nobody takes
  std::string unproved;           // why the wakers may not be all; "" if nobody else could end the wait
  bool operator==(const ChainWait&) const = default;
};

struct ChainProcess {
  std::uint32_t pid = 0;
  bool whole = false;             // each of its threads is in the chain
  std::uint64_t handled_signals = 0;  // that may come: bit N - 1 for signal N
  bool operator==(const ChainProcess&) const = default;
};

struct WaitChain {
  std::vector<ChainProcess> processes;  // that of the look is the first
  std::vector<ChainWait> waits;
  bool operator==(const WaitChain&) const = default;
};

// Processes that wait for each other: nothing within them goes on.
struct ProcessCircle {
  std::vector<std::uint32_t> processes;
  std::vector<std::size_t> waits;       // those that lead from one of the processes to another
  std::vector<std::size_t> others;      // the other threads of these processes
  std::string unproved;                 // why it may end all the same; "" if nothing but a signal ends it
  std::uint64_t signals = 0;            // that would
};
std::vector<ProcessCircle> find_process_circles(const WaitChain& chain);

}  // namespace dwell
