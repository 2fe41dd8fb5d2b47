// SPDX-License-Identifier: Apache-2.0
// Tracer: one kind of thing that a recording follows. The Recorder knows processes, their code, time and the
// file; a tracer knows its probes, its records and its ledger. Tracers know nothing of one another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
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
#include "userspace/record/record.h"
#include "userspace/recording/writer.h"

namespace dwell {

// What a tracer uses of the recording that it is part of; all of it outlives the tracer.
struct TracerContext {
  const RecordOptions& options;
  const Calibration& calibration;
  std::uint64_t start_ns;
  TraceCore& core;
  RecordingWriter& writer;
  StackTable& stacks;
  const ModuleTable& modules;
  std::uint16_t& next_probe;  // the index for the next probe: dwell_header.probe is common to all tracers
  std::uint64_t& refused_probes;  // that found no room below DWELL_MAX_PROBES
  std::function<void(const std::string&)> note;  // something that the user should know
};

// Sums since the recording began.
struct TracerCost {
  std::uint64_t probe_hits = 0, trap_ns = 0;
  KnownTime bpf_ns = 0;
};

// How many of these probes there are indices for; the others are counted as refused, and the user is told.
std::size_t claim_probes(const TracerContext& context, std::size_t wanted, const std::string& of);

class Tracer {
 public:
  virtual ~Tracer() = default;

  // A process is followed from now on; what it has mapped comes next.
  virtual Result<void> added(ProcessSlot process, const ProcessFacts& facts) = 0;
  // This is mapped in the process now. `late`: it came while the process was being recorded.
  virtual Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) = 0;
  // The kernel has let go of the process's probes; the next mapped() attaches all of them again.
  virtual void forget_probes(ProcessSlot) {}
  // How many probes were attached to what ran already, since the recording began.
  virtual std::uint64_t late_probes() const { return 0; }
  // After all of that: is there anything to see in this process at all?
  virtual Result<void> expect_something(const ProcessFacts& facts) = 0;
  // Its stacks begin behind system calls: the C library's unwind tables are needed whole.
  virtual bool begins_behind_system_calls() const { return false; }
  // It is there in case: where it finds nothing, that is no news.
  virtual bool in_case() const { return false; }
  virtual void happened(const ProcessNews& news) = 0;
  // The child has been added, and starts as a copy of its parent.
  virtual void forked(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) = 0;

  // False: it is no record of this tracer's, or too short to be one.
  virtual bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) = 0;
  // Its maps in the kernel name processes by their slot: then no slot is used again, and each process's is the
  // same as its index in the recording.
  virtual bool counts_in_kernel() const { return true; }

  // Many times a second, between ticks.
  virtual Result<void> poll(std::uint64_t) { return {}; }
  virtual Result<void> write_tick(std::uint64_t now_ns) = 0;
  // What the last tick took in the file: the more it is, the longer is the next one.
  virtual std::uint64_t tick_bytes() const { return 0; }
  // What is there now: at checkpoints, and at the end.
  virtual Result<void> write_live(std::uint64_t now_ns) = 0;
  virtual std::uint64_t live_count() const = 0;

  // What it knows better than any file does, by location, over what files told.
  virtual void name(std::vector<LocationSymbol>&) const {}
  virtual std::uint64_t skipped_runs() const { return 0; }  // of its programs, by the kernel
  virtual std::uint64_t refused_stacks() const { return 0; }  // that the recording had no room for

  virtual TracerCost cost() = 0;
  virtual void tell(RecordProgress& progress) const = 0;
  virtual void detach() = 0;
};

}  // namespace dwell
