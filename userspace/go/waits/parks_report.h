// SPDX-License-Identifier: Apache-2.0
// For how long goroutines waited, by stack and the runtime's own reason: locks, channels, descriptors, time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/views/profile.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct GoParkRow {
  std::string reason;              // in the runtime's words: "chan receive"
  ReportStack stack;  // leaf first, from the function that parks on
  std::size_t own = 0;             // the first frame that is neither the runtime's nor package sync's
  std::string incomplete;
  bool is_lock = false;     // waits for a lock of package sync
  bool of_runtime = false;  // a goroutine that the runtime keeps for itself
  double count = 0, count_error = 0, ns = 0, ns_error = 0;
  std::uint64_t counted = 0, before = 0, still = 0, max_ns = 0, queued = 0, queued_ns = 0;
  double contended = 0;  // slow ways into the mutex from there, parked or not
};

struct GoParksReport {
  std::uint64_t duration_ns = 0, watched_ns = 0, windows = 0;
  std::uint64_t probe_hits = 0, trap_ns = 0, lost = 0, window_cpu_ns = 0;
  KnownTime bpf_ns;
  std::vector<GoParkRow> rows;  // most time first; the runtime's own last
  std::vector<std::string> notes;

  // Of the CPU time in windows, what the probes took: who does little but switch is slowed by them.
  double probe_share() const;
};

// Of a recording that has them: Recording::go_parks.
GoParksReport go_parks_report(RecordingRef recording);

// As Go's own block and mutex profiles: contentions and delay, with the reason as a label. Without what the
// runtime keeps for itself.
Profile go_parks_profile(const Recording& recording);

}  // namespace dwell
