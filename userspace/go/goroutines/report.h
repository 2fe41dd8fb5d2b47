// SPDX-License-Identifier: Apache-2.0
// GoroutineReport: one look at all goroutines of a program, equal stacks merged. Its size grows with the
// number of different stacks, not of goroutines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/heap/collector.h"
#include "userspace/go/waits/contention_profile.h"
#include "userspace/go/contexts/report.h"
#include "userspace/go/goroutines/reader.h"
#include "userspace/go/heap/holder_rows.h"
#include "userspace/go/heap/profile.h"
#include "userspace/go/goroutines/labels.h"
#include "userspace/go/goroutines/stuck.h"
#include "userspace/go/timers/report.h"
#include "userspace/go/waits/waits.h"
#include "userspace/go/record/look.h"
#include "userspace/record/findings.h"

namespace dwell {

struct GoroutineGroup {
  std::string state;  // "running", or in the runtime's own words why it waits: "chan receive"
  GoStackState stack_state = GoStackState::kWhole;
  bool waits = false;
  bool stuck = false;  // nothing that still runs can wake them: GoroutineReport::stuck tells how sure that is
  bool abandoned = false;   // they wait only for contexts that nothing can cancel but the end of a parent
  bool of_runtime = false;  // the collector's and other goroutines that the runtime keeps for itself
  std::uint64_t count = 0;
  std::uint64_t without_time = 0;                // of them: no collection has seen them wait
  std::optional<std::uint64_t> longest_wait_ns;  // at least: since the first collection that saw it wait
  std::optional<std::uint64_t> shortest_wait_ns;
  std::vector<std::uint64_t> pcs;  // leaf first
  std::uint64_t creator_pc = 0;
  std::vector<GoCall> calls;  // innermost first
  GoCall creator;             // "" for the first goroutine and for threads that C made
  std::vector<std::pair<GoLabels, std::uint64_t>> labels;  // how many have these labels; the rest has none
  std::vector<GoroutineExample> examples;                  // at most kMostExamples
  static constexpr std::size_t kMostExamples = 16;
};

struct GoroutineReport {
  std::int32_t pid = 0;
  std::string program, command_line;
  std::string go_version, module;
  std::string note;
  std::uint64_t time_unix_ns = 0, time_monotonic_ns = 0;
  std::uint64_t look_ns = 0;  // how long the look took
  LookFigures figures;
  std::optional<HeapProfile> heap;            // if it was asked for, and the program keeps one
  std::string no_heap;                        // why there is none
  std::vector<ContentionProfile> contention;  // if it was asked for, and the program has switched them on
  std::optional<Collector> collector;         // if it was asked for
  std::optional<StuckFinding> stuck;          // if it was asked for
  std::optional<TimerReport> timers;          // if it was asked for
  std::optional<ContextReport> contexts;      // if it was asked for
  std::vector<Finding> findings;              // what to look at, the gravest first
  std::vector<std::string> not_seen;          // parts that could not be looked at, and why
  std::vector<GoroutineGroup> groups;  // stuck ones first, then most goroutines first, the runtime's own last
  std::vector<GoHolderRow> holders;    // of the heap, those that hold most first, if it was asked for
  std::uint64_t reached_bytes = 0;     // of the heap: what something leads to, if it was asked for
};

// Whether each of them holds an HTTP response whose body is neither read to its end nor closed.
bool holds_open_response(const GoroutineGroup& group);

// Adds what the heap retains by call site, what its collection costs, and the waits that the program has
// counted.
void add_heap(const GoRuntime& runtime, GoroutineReport& report);

// Where it was asked who can never wake: adds the pending timers and the contexts that are not cancelled, as far as this
// version's can be read, and which of those nothing holds.
void add_held(const GoRuntime& runtime, GoroutineReport& report);

// Refused if the goroutines that are seen make no sense as such.
Result<GoroutineReport> look_at_goroutines(const GoRuntime& runtime,
                                           std::optional<StuckFinding> stuck = std::nullopt,
                                           std::size_t examples = GoroutineGroup::kMostExamples);

}  // namespace dwell
