// SPDX-License-Identifier: Apache-2.0
// Threads by the call site that created them: how many, how many are still there, and which were to be joined
// and were not, so that their stacks stay for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/views/profile.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"
#include "userspace/threads/part.h"

namespace dwell {

struct ThreadCounts {
  std::uint64_t created = 0, ended = 0;
  std::int64_t unjoined = 0;  // ended, and neither joined nor detached
  std::uint64_t alive() const { return created > ended ? created - ended : 0; }
  // What stays: a thread that is there, or at least its stack.
  std::int64_t staying() const { return static_cast<std::int64_t>(alive()) + unjoined; }
};

struct ThreadSiteReport {
  ProcessSlot process = 0;
  ReportStack stack;  // of the creator, leaf first
  std::string incomplete;
  std::optional<ReportFrame> routine;  // what the threads run; none: not known
  ThreadCounts counts;
  std::optional<double> growth_per_minute;     // of what stays; none where the recording is too short to say
  std::optional<std::uint64_t> oldest_age_ns;  // of those alive
};

struct ThreadSitesReport {
  std::vector<ThreadSiteReport> sites;  // what stays most first
  ThreadCounts total;
};

// Of a recording that followed threads: Recording::thread_ticks is not empty.
ThreadSitesReport thread_sites(RecordingRef recording);

// What the looks of a recording found, in the order of time.
struct LookSummary {
  std::uint64_t time_ns = 0;  // since the start of the recording
  std::size_t threads = 0;
  std::size_t stuck = 0;  // for good
};
std::vector<LookSummary> look_summaries(const Recording& recording);

// Sample types: created, alive, unjoined.
Profile thread_sites_profile(const Recording& recording);

}  // namespace dwell
