// SPDX-License-Identifier: Apache-2.0
// Tracer: one subject of a recording. The Recorder knows processes, their code, time and the file; a tracer
// knows its probes, its records and its ledger. Tracers do not know one another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/events.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/known_time.h"
#include "userspace/base/result.h"
#include "userspace/collect/decoder.h"
#include "userspace/collect/stack_table.h"
#include "userspace/collect/trace_core.h"
#include "userspace/probes/calibrate.h"
#include "userspace/process/process.h"
#include "userspace/record/modules.h"
#include "userspace/record/overhead_shares.h"
#include "userspace/record/record.h"
#include "userspace/recording/writer.h"

namespace dwell {

// What a tracer uses of the recording that it is part of; all of it outlives the tracer.
struct TracerContext {
  const RecordOptions& options;
  const Calibration& calibration;
  const std::uint64_t& start_ns;  // of the recording: moves on to when the first probes of all are in place
  std::vector<pid_t> targets;  // the processes that the recording begins with
  std::function<TargetSlot(ProcessSlot)> target_of;  // the number by which the kernel's side knows a process that is followed
  TraceCore& core;
  RecordingWriter& writer;
  StackTable& stacks;
  const ModuleTable& modules;
  std::uint16_t& next_probe;  // the index for the next probe: dwell_header.probe is common to all tracers
  std::uint64_t& refused_probes;  // that found no room below DWELL_MAX_PROBES
  std::function<void(const std::string&)> note;  // something that the user should know
  // What should be seen, is not, and is missing in the figures; and why.
  std::function<void(Unseen)> unseen;
  OverheadShares& overhead;  // who can be made cheaper joins when it is loaded
};

// Sums since the recording began. Probes that come and go cost the target time besides their hits (probes/toggle_price.h): that
// is in `trap_ns`.
struct TracerCost {
  std::uint64_t probe_hits = 0, trap_ns = 0;
  KnownTime bpf_ns = 0;
};

// How many of these probes get an index; the others are counted as refused, and a note says so.
std::size_t claim_probes(const TracerContext& context, std::size_t wanted, const std::string& of);

class Tracer {
 public:
  virtual ~Tracer() = default;

  // A process is followed from now on; its mappings come next, with mapped().
  virtual Result<void> added(ProcessSlot process, const ProcessFacts& facts) = 0;
  // It is not followed after all, and its slot may be another one's next.
  virtual void forgotten(ProcessSlot) {}
  // What the process has mapped now. `late`: it was mapped while the process was being recorded.
  virtual Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) = 0;
  // The kernel has dropped the process's probes; the next mapped() attaches all of them again.
  virtual void forget_probes(ProcessSlot) {}
  // Probes attached to code that was already running, since the recording began.
  virtual std::uint64_t late_probes() const { return 0; }
  // Everything that is mapped has its probes: the recording begins now.
  virtual void begin(std::uint64_t) {}
  // The recording is about to end: what has been sent by now is still decoded, before end().
  virtual void before_last_records() {}
  // The recording ends now: what the kernel's side sums up by itself stops. Probes go later, with detach().
  virtual void end() {}
  // After mapped(): fails if this tracer can observe nothing in the process, one of those that the recording begins with.
  virtual Result<void> require_probes(const ProcessFacts& facts) = 0;
  // Its stacks begin behind system calls: the C library's unwind tables are needed whole.
  virtual bool begins_behind_system_calls() const { return false; }
  // They begin at any instruction: the unwind tables of all code are needed whole.
  virtual bool begins_anywhere() const { return false; }
  // Finding nothing to trace is neither an error nor a note.
  virtual bool is_optional() const { return false; }
  virtual void on_process_event(const ProcessNews& news) = 0;
  // The child has been added, and starts as a copy of its parent.
  virtual void on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) = 0;

  // False: the record is another tracer's, or too short.
  virtual bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) = 0;
  // Its kernel maps are keyed by process slot: slots are then never reused, and equal the process's index in the
  // recording.
  virtual bool counts_in_kernel() const { return true; }

  // Many times a second, between ticks.
  virtual Result<void> poll(std::uint64_t) { return {}; }
  virtual Result<void> write_tick(std::uint64_t now_ns) = 0;
  // Bytes of the last tick in the file: the larger it was, the longer the next one lasts.
  virtual std::uint64_t tick_bytes() const { return 0; }
  // Everything that is live now: at checkpoints, and at the end.
  virtual Result<void> write_live(std::uint64_t now_ns) = 0;
  virtual std::uint64_t live_count() const = 0;

  // Replaces names that files gave by better ones that the tracer knows, by location.
  virtual void name(std::vector<LocationSymbol>&) const {}
  virtual std::uint64_t skipped_runs() const { return 0; }  // of its programs, by the kernel
  virtual std::uint64_t refused_stacks() const { return 0; }  // that the recording had no room for

  virtual TracerCost cost() = 0;
  // What costs that, in the account: "page faults".
  virtual std::string_view called() const = 0;
  // Its part of what the recording may cost. Null: it costs what it costs.
  virtual std::shared_ptr<OverheadShares::Part> part() const { return nullptr; }
  virtual void report_progress(RecordProgress& progress) const = 0;
  virtual void detach() = 0;
};

}  // namespace dwell
