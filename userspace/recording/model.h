// SPDX-License-Identifier: Apache-2.0
// A recording in memory: facts, not judgements. docs/recording-format.md says how they lie in a file.
//
// Here are the tables that all subjects share. What a subject records hangs on `parts`, by a type of its own, and names
// these tables' entries by their index: a stack its locations, a location its module. Times are CLOCK_MONOTONIC nanoseconds of the recorded machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/recording/ids.h"
#include "userspace/recording/parts.h"

namespace dwell {

struct RecordingInfo {
  std::string dwell_version;
  std::string kernel;        // uname -r
  std::string host;
  std::string arch;          // "x86_64"
  std::string command_line;  // of dwell itself
  std::string container;     // id or name of the target's container, "" if there is none
  std::uint64_t start_unix_ns = 0;
  std::uint64_t start_monotonic_ns = 0;
  std::uint64_t sample_period_bytes = 0;  // 0: every allocation was recorded
  bool started_by_dwell = false;          // recorded from the first instruction on: nothing is older
  std::vector<std::pair<std::string, std::string>> extra;  // for people: shown, never interpreted
  bool operator==(const RecordingInfo&) const = default;
};

struct ProcessInfo {
  std::uint32_t pid = 0;
  std::int32_t parent = -1;  // index of the recorded process that forked it, -1: none
  std::string name;          // comm
  std::string command_line;
  std::uint64_t start_ns = 0;  // when its recording began
  std::uint64_t end_ns = 0;    // 0: still there when the recording ended
  std::string program = {};    // its executable file: build id, else device, inode and path; equal in processes of one program
  bool operator==(const ProcessInfo&) const = default;
};

// Of one recording, at most; a process keeps its index when it has ended.
inline constexpr std::size_t kMaxProcesses = 65535;

enum class ModuleKind : std::uint8_t { kFile = 0, kVdso = 1, kJit = 2, kAnonymous = 3, kKernel = 4 };

// Where a piece of a file's code belongs in the addresses that its debug information speaks of.
struct CodeSegment {
  std::uint64_t file_offset = 0, size = 0, vaddr = 0;
  bool operator==(const CodeSegment&) const = default;
};

struct Module {
  std::string path;
  std::string build_id;  // lower-case hex, may be empty
  std::uint64_t size = 0;  // of the file
  ModuleKind kind = ModuleKind::kFile;
  std::vector<CodeSegment> code = {};  // a debug file alone does not tell it any more
  bool operator==(const Module&) const = default;
};

struct Location {
  std::int32_t module = -1;   // -1: none, and `offset` is an absolute address
  std::uint64_t offset = 0;   // file offset in the module
  bool return_address = true; // the call lies before it: symbolize offset - 1
  bool operator==(const Location&) const = default;
};

struct CallStack {
  std::vector<std::uint32_t> locations;  // leaf first
  std::uint8_t end = 0;                  // dwell_stack_end of bpf/events.h
  bool operator==(const CallStack&) const = default;
};

// One source line of one function; a location has several when calls were inlined there, innermost first.
struct SymbolFrame {
  std::string function;     // as shown
  std::string system_name;  // mangled, may be empty
  std::string file;         // may be empty
  std::uint32_t line = 0;   // 0: not known
  bool operator==(const SymbolFrame&) const = default;
};

struct LocationSymbol {
  std::vector<SymbolFrame> frames;  // empty: looked for, no name found
  bool operator==(const LocationSymbol&) const = default;
};

// Below kFirstUserspaceLoss: dwell_loss of bpf/events.h.
enum class LossKind : std::uint8_t {
  kAlloc = 0, kFree, kStack, kMap, kProcess, kThreadState, kScratch,
  kFork,                 // a child that nobody is told of
  kThread, kResult, kNesting, kReturn, kBlocked, kWakerName,
  kClockRead, kClockWait, kClockPair, kClockSet, kClockThread, kClockTimer, kClockArgument,
  kGoSample, kGoPark, kGoContext, kGoParent,
  kFault,
  kOpen, kClose, kTable,  // of descriptors
  kTake, kGive,           // of --pair
  kLockWait,
  kFirstUserspaceLoss = 64,
  kStackTableFull = 64,  // the allocation counts, its stack is not kept
  kUnresolvedStack,      // its first sight was lost: the events that name it have no stack
  kUndecodable,          // a record that this dwell does not know
  kProcessTableFull,     // a child that found no room among the processes
  kChildEndedTooEarly,   // a child that ended before it could be followed
  kChildFailed,          // a child that could not be followed
  kMappingNews,          // news of new code that the kernel had no room for; mappings were read anew
  kSkippedRuns,          // BPF programs that the kernel did not run, inside one another
  kProbesRefused,        // functions without a probe, because there is no room for more
  kMapsLine,             // lines of /proc/PID/maps that could not be read
  kPerfMapLine,          // the same of /tmp/perf-PID.map
};

struct Loss {
  std::uint64_t time_ns;  // of the last one
  LossKind kind;
  std::uint64_t count;
  std::uint64_t span_ns = 0;  // so long before time_ns was the first one; 0 too where that is not known
  bool operator==(const Loss&) const = default;
};

// Processes that the recorded ones started, since the recording began.
struct ChildCounts {
  std::uint64_t time_ns = 0;
  bool asked = false;           // they were to be followed (--follow-forks)
  std::uint64_t forked = 0;     // children, and theirs
  std::uint64_t spawned = 0;    // programs started by vfork or posix_spawn, and what they started: never followed
  // What became of the forked ones, if asked.
  std::uint64_t followed = 0, ended_too_early = 0, failed = 0, without_room = 0;
  bool operator==(const ChildCounts&) const = default;
};

// Sums since the recording began.
struct CostSample {
  std::uint64_t time_ns = 0;
  std::uint64_t probe_hits = 0;
  std::uint64_t trap_ns = 0;        // probe hits x calibrated price, and what windows' probes cost when they come and go
  std::uint64_t bpf_ns = 0;         // run time of the BPF programs; kTimeNotKnown where the kernel does not count it
  std::uint64_t target_cpu_ns = 0;
  std::uint64_t dwell_cpu_ns = 0;
  std::uint64_t probes_ns() const { return trap_ns + known_time(bpf_ns).value_or(0); }
  bool operator==(const CostSample&) const = default;
};

// Of CostSample's trap_ns and bpf_ns: what one subject's probes cost.
struct CostPart {
  std::string name;  // "page faults"
  std::uint64_t ns = 0;
  bool operator==(const CostPart&) const = default;
};

// What should have been seen and is not: it is missing in the figures, and a report says so first.
struct Unseen {
  std::uint64_t time_ns = 0;  // when that was found out
  std::string subject;        // "memory"
  std::string what;           // "malloc in /usr/lib/libc.so.6"
  std::string why;
  bool operator==(const Unseen&) const = default;
};

struct Note {  // something a reader of the recording should be told
  std::uint64_t time_ns = 0;
  std::string text;
  bool operator==(const Note&) const = default;
};

// A moment that the user has marked: a generation of memory begins there.
struct Mark {
  std::uint64_t time_ns = 0;
  bool operator==(const Mark&) const = default;
};

struct RecordingEnd {
  std::uint64_t time_ns = 0;
  std::string reason;  // "interrupted", "the target ended", "the time was over"
  bool operator==(const RecordingEnd&) const = default;
};

struct Recording {
  RecordingInfo info;
  std::vector<ProcessInfo> processes;  // by ProcessSlot
  std::vector<Module> modules;
  std::vector<Location> locations;
  std::vector<CallStack> stacks;       // by StackId; stack 0 is the unknown one and has no locations
  std::vector<LocationSymbol> symbols; // by location; shorter than locations: the rest was never looked for
  std::vector<Loss> losses;
  std::optional<ChildCounts> children;  // the last that were written; none in recordings older than that
  std::vector<CostSample> costs;
  std::vector<CostPart> cost_parts;  // at the last checkpoint
  std::vector<Note> notes;
  std::vector<Mark> marks;             // in order of time
  std::vector<Unseen> unseen;
  RecordingEnd end;
  bool ended = false;                  // the recording was ended, not cut off
  Parts parts;                         // what each subject recorded
  std::uint64_t told_until_ns = 0;     // the end of the last tick of any subject
  std::uint64_t skipped_chunks = 0;    // of types that this dwell does not know
  std::uint64_t file_bytes = 0;
  std::uint64_t readable_bytes = 0;    // up to the last whole chunk

  std::uint64_t start_ns() const { return info.start_monotonic_ns; }
  std::uint64_t end_ns() const {  // the end, or of what was told before it was cut off
    return std::max({end.time_ns, told_until_ns, start_ns()});
  }
  bool sampled() const { return info.sample_period_bytes != 0; }
};

}  // namespace dwell
