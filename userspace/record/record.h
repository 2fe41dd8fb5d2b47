// SPDX-License-Identifier: Apache-2.0
// Recording a process: from its PID, or a command to start, to a finished .dwell file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/probes/attach.h"
#include "userspace/recording/model.h"

namespace dwell {

class Tracer;
struct TracerContext;
// Null, where there is nothing for it in the target.
using TracerLoader = std::function<Result<std::unique_ptr<Tracer>>(const TracerContext&)>;

// Processes that were not named one by one: a tree, or a control group.
struct TargetGroup {
  std::string name;                             // "control group /system.slice/nginx.service"
  std::function<std::vector<pid_t>()> members;  // now
  bool can_be_joined = false;                   // not by fork alone: its members are asked for again each second
};

struct RecordOptions {
  std::vector<pid_t> pids;           // attach to these processes,
  std::optional<TargetGroup> group;  // and to these,
  std::vector<std::string> command;  // or start this one
  std::string output;                // "": NAME.PID.dwell in the current folder
  std::optional<std::uint64_t> duration_ns;
  std::uint64_t sample_bytes = 0;    // mean bytes between samples, 0: every allocation
  std::uint64_t ring_bytes = 64ull << 20;
  bool symbols = true;
  bool return_probes = true;         // false: returns are seen at the return instructions, which is dearer
  bool follow_forks = false;         // always where there is a group
  std::optional<std::uint64_t> longest_tick_ns;  // somebody watches: ticks do not grow beyond it with age alone
  std::optional<std::uint64_t> look_every_ns;  // how often subjects that look do so; none: as each thinks fit
  std::vector<TracerLoader> tracers; // what is followed; what this kernel lacks costs a tracer, not the recording
  std::optional<AttachMethod> attach_method;  // only this one, instead of the best that works
  std::optional<double> max_overhead_percent;  // of the target's CPU time, for the memory tracer; none: see overhead_budget()
  bool exact = false;                // everything exactly, whatever it costs
  double detach_above_percent = 90;  // of the target's CPU time: probes that take more are taken away; 0: never
  std::string command_line;          // of dwell itself, for the recording
};

// What recording memory may cost in % of the target's CPU time; 0: everything is recorded exactly. Processes that run already are
// someone's services, so they have a budget unless something else is asked for; what dwell starts has none.
inline constexpr double kUsualOverhead = 2;
inline double overhead_budget(const RecordOptions& options) {
  if (options.exact || options.sample_bytes) return 0;
  return options.max_overhead_percent.value_or(options.command.empty() ? kUsualOverhead : 0);
}

// How the recording goes on, told about four times a second.
struct RecordProgress {
  bool attaching = false;  // nothing is measured yet
  std::uint64_t elapsed_ns = 0;
  std::uint64_t live_bytes = 0, live_blocks = 0;  // of the heap; scaled if sampled
  std::optional<double> growth_bytes_per_minute;  // since the recording began; none: that was a moment ago
  double events_per_second = 0;                   // since the last time
  std::optional<double> cost_percent;                        // of the target's CPU time
  std::uint64_t lost = 0;                         // events, all kinds
  bool partial = false;                           // not all is seen that should be
};

struct RecordOutcome {
  std::string path;
  std::string end_reason;
  bool gave_way = false;            // dwell ended it by itself, to spare the target: end_reason says why
  bool partial = false;             // something that should have been seen was not: the report says what
  std::optional<int> child_status;  // of a started command, as waitpid() has it
};

struct RecordCallbacks {
  std::function<void(const std::string& message)> started;  // "recording redis-server (1234) into ..."
  std::function<void(const RecordProgress&)> progress;
  std::function<void(const std::string& note)> note;        // something the user should know at once
};

// Runs until the time is over, the target has ended, or SIGINT or SIGTERM arrives; a second one ends dwell
// itself at once. SIGUSR1 sets a mark.
Result<RecordOutcome> record(const RecordOptions& options, const RecordCallbacks& callbacks);

}  // namespace dwell
