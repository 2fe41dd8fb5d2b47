// SPDX-License-Identifier: Apache-2.0
// The heap of a Go program that keeps no profile of its own, as samples tell it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

struct GoAllocFacts {
  StackId stack = StackId::kUnknown;
  ProcessSlot process = 0;
  std::uint64_t samples = 0, live_samples = 0;
  // Estimates for all that was allocated while it was recorded, and what of it was in use at the end.
  std::uint64_t alloc_objects = 0, alloc_bytes = 0, alloc_bytes_error = 0;
  std::uint64_t inuse_objects = 0, inuse_bytes = 0, inuse_bytes_error = 0;
  bool operator==(const GoAllocFacts&) const = default;
};

struct GoAllocs {
  std::uint64_t time_ns = 0, duration_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t watched_ns = 0, windows = 0;
  std::uint64_t probe_hits = 0, trap_ns = 0;
  std::uint64_t bpf_ns = 0;  // or kTimeNotKnown
  std::uint64_t lost = 0;         // samples
  std::uint64_t collections = 0;  // after which it was looked which samples live
  std::uint64_t missed = 0;       // collections that another one followed before a look
  std::vector<GoAllocFacts> sites;
  std::vector<std::string> notes;
  bool operator==(const GoAllocs&) const = default;
};

}  // namespace dwell
