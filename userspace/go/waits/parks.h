// SPDX-License-Identifier: Apache-2.0
// Where goroutines parked and for how long: figures by stack and wait reason, not what they mean.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

struct GoParkFacts {
  StackId stack = StackId::kUnknown;
  ProcessSlot process = 0;
  bool contended = false;                    // no park: slow ways into a mutex, which have a count only
  std::uint32_t reason = 0;                  // index into GoParks::reasons
  std::uint64_t counted = 0;                 // in windows
  std::uint64_t count = 0, count_error = 0;  // of the whole time; one standard error, 0: exact
  std::uint64_t ns = 0, ns_error = 0;
  std::uint64_t before = 0, still = 0;  // parked already at the beginning; parked at the end
  std::uint64_t max_ns = 0;
  std::uint64_t queued = 0,
                queued_ns = 0;  // in windows: how many were seen to be woken, and then had to wait
  bool operator==(const GoParkFacts&) const = default;
};

struct GoParks {
  std::uint64_t time_ns = 0, duration_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t watched_ns = 0, windows = 0;
  std::uint64_t window_cpu_ns = 0;  // of the processes, in windows, the probes' own time included
  std::uint64_t probe_hits = 0, trap_ns = 0;
  std::uint64_t bpf_ns = 0;  // or kTimeNotKnown
  std::uint64_t lost = 0;  // parks that are not counted
  std::vector<std::string> reasons;
  std::vector<GoParkFacts> sites;
  std::vector<std::string> notes;
  bool operator==(const GoParks&) const = default;
};

}  // namespace dwell
