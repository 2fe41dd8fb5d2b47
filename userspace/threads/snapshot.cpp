// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/snapshot.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>

#include "symbolizer/proc_maps.h"
#include "userspace/base/unique_fd.h"
#include "userspace/process/process.h"
#include "userspace/record/machine.h"
#include "userspace/record/modules.h"
#include "userspace/record/symbols.h"
#include "userspace/recording/reader.h"
#include "userspace/recording/writer.h"
#include "userspace/threads/descriptors.h"
#include "userspace/threads/looker.h"
#include "userspace/threads/stacks.h"
#include "userspace/threads/target_memory.h"
#include "userspace/threads/waits.h"

namespace dwell {
namespace {

constexpr int kLooks = 3;  // at threads that moved while they were looked at

constexpr std::uint64_t kNoCall = ~std::uint64_t{0};

// Bits of task_struct.__state.
constexpr std::uint32_t kInterruptible = 1, kUninterruptible = 2, kStoppedOrTraced = 4 | 8, kFrozen = 0x8000,
                        kWaking = 0x200;

ThreadState state_of(const SeenThread& thread) {
  std::uint32_t state = thread.record.state;
  if (thread.record.exit_state) return ThreadState::kEnded;
  if (thread.on_cpu()) return ThreadState::kRunning;
  if (state & (kStoppedOrTraced | kFrozen)) return ThreadState::kStopped;
  if (state == 0 || state & kWaking) return ThreadState::kReady;
  if (state & kUninterruptible) return ThreadState::kUninterruptible;
  return state & kInterruptible ? ThreadState::kSleeping : ThreadState::kUninterruptible;
}

bool waits(ThreadState state) {
  return state == ThreadState::kSleeping || state == ThreadState::kUninterruptible;
}

// Threads that ran while they were looked at are looked at once more, in place of what was seen of them.
Result<std::vector<RawLook>> look_until_still(ThreadLooker& looker) {
  std::vector<RawLook> looks;
  for (int i = 0; i < kLooks; ++i) {
    Result<RawLook> look = looker.look();
    if (!look) return looks.empty() ? Result<std::vector<RawLook>>(look.error()) : std::move(looks);
    bool all_still = std::ranges::none_of(look->threads, &SeenThread::moved);
    looks.push_back(std::move(*look));
    if (all_still) break;
  }
  return looks;
}

struct Seen {
  const RawLook* look;
  const SeenThread* thread;
};

// The threads of the first look, each as it was seen the first time that it held still.
std::vector<Seen> best_sights(const std::vector<RawLook>& looks) {
  std::vector<Seen> best;
  for (const SeenThread& thread : looks[0].threads)
    if (thread.record.tid) best.push_back({&looks[0], &thread});
  for (std::size_t i = 1; i < looks.size(); ++i) {
    for (Seen& seen : best) {
      if (!seen.thread->moved()) continue;
      auto later = std::ranges::lower_bound(looks[i].threads, seen.thread->record.tid, {},
                                            [](const SeenThread& thread) { return thread.record.tid; });
      if (later != looks[i].threads.end() && later->record.tid == seen.thread->record.tid)
        seen = {&looks[i], &*later};
    }
  }
  return best;
}

// What a thread waits for that made no system call: its memory, or something of the kernel's own.
void describe_without_call(const SeenThread& thread, ThreadFacts& facts) {
  facts.wait = thread.has_registers() ? WaitKind::kPageFault : WaitKind::kKernel;
  facts.waits_for = thread.has_registers() ? "a page of its memory" : "work of the kernel's own";
}

class Snapshot {
 public:
  Snapshot(const ProcessFacts& target, RecordingWriter& writer, std::span<const Mapping> mappings)
      : memory_(target.pid), descriptors_(target.pid), stacks_(target.pid, mappings, writer) {
    call_target_.descriptor = [this](int fd) { return descriptors_.describe(fd); };
    call_target_.watched_by = [this](int fd) { return descriptors_.watched_by(fd); };
    call_target_.memory = [this](std::uint64_t address, void* to, std::size_t size) {
      return memory_.read(address, to, size);
    };
  }

  ThreadFacts facts_of(const Seen& seen) {
    const dwell_thread_record& record = seen.thread->record;
    ThreadFacts facts;
    facts.tid = record.tid;
    facts.own_tid = record.own_tid;
    facts.name = std::string(record.name, ::strnlen(record.name, sizeof record.name));
    facts.state = state_of(*seen.thread);
    facts.moved = seen.thread->moved();
    facts.since_ns =
        facts.state == ThreadState::kRunning ? record.time_ns : seen.look->last_ran_ns(*seen.thread);
    facts.started_ns = record.start_ns;
    facts.cpu_ns = record.cpu_ns;
    facts.voluntary_switches = record.voluntary;
    facts.involuntary_switches = record.involuntary;
    if (record.call != kNoCall) facts.call = static_cast<std::int32_t>(record.call);
    if (waits(facts.state)) describe(*seen.thread, facts);
    if (facts.state == ThreadState::kStopped) facts.waits_for = "to be continued: it was stopped";
    // The registers of a thread on its CPU are those of its last way into the kernel.
    if (seen.thread->has_registers() && !seen.thread->on_cpu())
      facts.stack = stacks_.user_stack(*seen.thread, seen.look->window(*seen.thread));
    facts.kernel_stack = stacks_.kernel_stack(*seen.thread);
    return facts;
  }

  StackCollector& stacks() { return stacks_; }

 private:
  void describe(const SeenThread& thread, ThreadFacts& facts) {
    if (thread.record.call == kNoCall) return describe_without_call(thread, facts);
    std::uint64_t args[6];
    std::copy(std::begin(thread.record.args), std::end(thread.record.args), args);
    Wait wait = describe_wait(thread.record.call, args, call_target_);
    facts.wait = wait.kind;
    facts.timed = wait.timed;
    facts.waits_for = wait.words;
  }

  TargetMemory memory_;
  Descriptors descriptors_;
  StackCollector stacks_;
  CallTarget call_target_;
};

// A recording that is not wanted on the disk is one all the same.
Result<std::string> output_path(const SnapshotOptions& options, UniqueFd& in_memory) {
  if (!options.output.empty()) return options.output;
  in_memory.reset(::memfd_create("dwell-threads", MFD_CLOEXEC));
  if (!in_memory.valid()) return system_error("make room for a look at threads", errno);
  return fmt::format("/proc/self/fd/{}", in_memory.get());
}

}  // namespace

Result<Recording> take_snapshot(const SnapshotOptions& options) {
  Result<ProcessFacts> target = read_process(options.pid);
  if (!target) return target.error();
  Result<ThreadLooker> looker = ThreadLooker::open(options.pid, {.all_kernel_stacks = options.kernel_stacks});
  if (!looker) return looker.error();
  Result<std::vector<Mapping>> mappings = read_maps(options.pid);
  if (!mappings) return mappings.error();

  UniqueFd in_memory;
  Result<std::string> path = output_path(options, in_memory);
  if (!path) return path.error();
  RecordingInfo info = describe_recording(options.command_line, *target);
  Result<RecordingWriter> writer = RecordingWriter::create(*path, info);
  if (!writer) return writer.error();
  writer->set_process(0, {static_cast<std::uint32_t>(target->pid), -1, target->name, target->command_line,
                          info.start_monotonic_ns, 0});

  Snapshot snapshot(*target, *writer, *mappings);
  Result<std::vector<RawLook>> looks = look_until_still(*looker);
  if (!looks) return looks.error();
  ThreadLook look;
  look.time_ns = looks->front().started_ns;
  look.duration_ns = looks->back().ended_ns - look.time_ns;
  for (const Seen& seen : best_sights(*looks)) look.threads.push_back(snapshot.facts_of(seen));

  Result<void> written = writer->write_look(look);
  for (const std::string& problem : snapshot.stacks().problems())
    if (written) written = writer->write_note({look.time_ns, problem});
  if (written) written = writer->write_symbols(0, snapshot.stacks().names());
  if (written) written = writer->finish({look.time_ns + look.duration_ns, "one look at its threads"});
  if (!written) return written.error();
  return read_recording(*path);
}

}  // namespace dwell
