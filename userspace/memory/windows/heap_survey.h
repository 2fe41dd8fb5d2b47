// SPDX-License-Identifier: Apache-2.0
// HeapSurvey: walks the heaps of one process beside its windows, in a thread of its own: once when windows begin, and once at
// the end (census.h); and again and again where no reader tells of a single block whether it lives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <future>
#include <optional>
#include <vector>

#include "userspace/memory/windows/liveness_estimator.h"

namespace dwell::memory::windows {

class HeapSurvey {
 public:
  explicit HeapSurvey(pid_t pid) : pid_(pid) {}
  HeapSurvey(HeapSurvey&&) = delete;

  // The first walk; further calls do nothing.
  void begin(std::uint64_t now_ns);
  // Whether the heaps could be walked. Not before the first walk has ended, unless `wait`.
  bool works(bool wait = false);

  // Looks for those blocks, if the last walk was long enough ago: a hundredth of the time is spent on it.
  bool is_due(std::uint64_t now_ns);
  void look_for(LookBatch blocks, std::uint64_t now_ns);
  struct Found {
    LookBatch blocks;  // states alone: kUnknown where the walk said nothing of that place
    std::uint64_t began_ns = 0;
  };
  std::optional<Found> found();

  // The last walk, at once. None: the heaps cannot be walked, or too many of the blocks were not met.
  std::optional<HeapCount> finish(LookBatch& blocks);

 private:
  struct Walk {
    bool worked = false;
    std::uint64_t began_ns = 0, took_ns = 0;
    LookBatch blocks;
  };
  bool first_is_done(bool wait);

  pid_t pid_;
  std::uint64_t began_ns_ = 0;
  std::optional<Walk> first_, last_;
  std::future<Walk> walking_first_, walking_;
  Census census_;  // the first walk's thread alone, until that has ended
};

}  // namespace dwell::memory::windows
