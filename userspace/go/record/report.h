// SPDX-License-Identifier: Apache-2.0
// What a recording tells of a Go program over all its looks: goroutines by who started them, heap by call
// site, and what the collector did. Pure: from a recording alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/runtime/frames.h"
#include "userspace/recording/model.h"
#include "userspace/go/record/held.h"
#include "userspace/go/record/look.h"

namespace dwell {

struct GoTrend {
  std::uint64_t first = 0, last = 0, least = 0, most = 0;  // at the looks
  std::optional<double> per_minute;  // slope; none where the recording is too short to say
  bool grows = false;                // more and more, with few steps back
};

// Goroutines that were started at one line.
struct GoCreatorReport {
  GoCall creator;  // "" for the first goroutine and for threads that C made
  bool of_runtime = false;
  GoTrend count;
  std::uint64_t stuck = 0;      // at the last look: can never wake
  std::uint64_t abandoned = 0;  // at the last look: wait only for lost contexts
  // Where most of them are at the last look that met any:
  std::uint64_t alike = 0;
  std::string state;
  std::vector<GoCall> calls;
  std::optional<std::uint64_t> longest_wait_ns;  // of all, at least
};

struct GoEstimate {
  double bytes = 0, objects = 0;
  double error = 0;  // of the bytes, one standard error
};

struct GoHeapSiteReport {
  std::vector<GoCall> calls;
  GoEstimate in_use;                 // at the last look, as of the collection before it
  std::optional<double> per_minute;  // growth of bytes in use
  GoEstimate allocated;              // between the first look and the last
};

struct GoHeapReport {
  std::uint64_t rate = 0;       // one sample in so many bytes
  std::uint64_t window_ns = 0;  // between the first look and the last
  GoEstimate in_use, allocated;
  std::optional<double> per_minute;
  std::vector<GoHeapSiteReport> sites;  // most in use first
};

// Between the first look and the last.
struct GoCollectorReport {
  Collector first, last;
  std::uint32_t cycles = 0, forced = 0;
  std::uint64_t pauses_ns = 0;
  std::optional<std::uint64_t> longest_ns;  // of those that are known
  bool all_known = true;                    // each pause was seen
};

struct GoContentionSite {
  std::vector<GoCall> calls;
  double contentions = 0, ns = 0;                // since the program began
  double contentions_within = 0, ns_within = 0;  // between the first look and the last
};

struct GoContentionReport {
  GoProfileKind kind = GoProfileKind::kMutex;
  std::vector<GoContentionSite> sites;  // the longest waits within first
};

struct GoSnapshot {  // of one look
  std::uint64_t time_ns = 0;  // since the recording began
  std::uint64_t goroutines = 0;
  std::optional<std::uint32_t> cycles;  // of the collector, since the program began
};

struct GoReport {
  ProcessSlot process = 0;
  std::string version, module, note;
  std::size_t looks = 0;
  std::uint64_t first_ns = 0, last_ns = 0;  // of the looks, since the recording began
  std::vector<GoSnapshot> snapshots;        // in the order of time
  GoTrend goroutines;
  std::vector<GoCreatorReport> creators;  // stuck ones first, then by growth, then most first
  std::optional<GoStuck> stuck;           // of the last look, if that was asked for
  std::optional<GoHeld> held;             // likewise: its timers and contexts
  std::optional<GoHeapReport> heap;
  std::string no_heap;
  std::vector<GoContentionReport> contention;  // of what the program has switched on
  std::optional<GoCollectorReport> collector;
  LookFigures lost;  // sums over the looks
  std::vector<Finding> findings;  // what to look at first
};

// Of each process that was met as a Go program, in order.
std::vector<GoReport> go_reports(const Recording& recording);

// The counters of one of the runtime's profiles at a time: what was told last of each bucket.
struct GoCounters {
  std::map<std::uint32_t, GoBucketRow> rows;
  const GoProfileLook* last = nullptr;  // none: there was no such profile
};
GoCounters counters_at(const Recording& recording, GoProfileKind kind, ProcessSlot process,
                       std::uint64_t time_ns);

// The calls of a stack, as Go tells them.
std::vector<GoCall> recorded_calls(const Recording& recording, const GoStack& stack);

// Equal for calls that read the same.
std::string go_site_key(const std::vector<GoCall>& calls);

}  // namespace dwell
