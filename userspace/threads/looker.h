// SPDX-License-Identifier: Apache-2.0
// ThreadLooker: looks at every thread of a process through the kernel, without stopping any.
//
//   Result<ThreadLooker> looker = ThreadLooker::open(pid);
//   Result<ThreadLook> look = looker->look();     // as often as wanted; a look leaves nothing behind
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/threads.h"
#include "userspace/base/result.h"

struct bpf_link;

namespace dwell {

struct SeenThread {
  dwell_thread_record record;
  std::size_t extra_at;  // of its kernel stack, and then of its own, in RawLook::bytes

  bool has_registers() const { return !(record.flags & DWELL_THREAD_NO_REGISTERS); }
  bool on_cpu() const { return record.flags & DWELL_THREAD_ON_CPU; }
  bool moved() const { return record.flags & DWELL_THREAD_MOVED; }
  std::uint64_t switches() const { return record.voluntary + record.involuntary; }
};

struct RawLook {
  std::string bytes;                           // as the kernel gave them
  std::vector<SeenThread> threads;             // by tid
  std::uint64_t started_ns = 0, ended_ns = 0;  // CLOCK_MONOTONIC
  // What to add to the scheduler's clock; none if this kernel keeps no note of when a thread ran last.
  bool has_times = false;
  std::uint64_t clock_offset_ns = 0;

  // What was read of its stack, from sp upward.
  std::string_view window(const SeenThread& thread) const;
  std::vector<std::uint64_t> kernel_stack(const SeenThread& thread) const;
  const SeenThread* find(std::uint32_t tid) const;  // null: it is not among them
  // When it last ran: for a waiting thread, since when it waits. 0: not known.
  std::uint64_t last_ran_ns(const SeenThread& thread) const;
};

struct LookOptions {
  // Also what takes longer: who could end waits, circles through other processes, whether threads that run ever sleep.
  bool thorough = false;
  bool all_kernel_stacks = false;  // not only of threads that are in the kernel without a system call
};

class ThreadLooker {
 public:
  static Result<ThreadLooker> open(pid_t pid, const LookOptions& options = {});
  ThreadLooker(ThreadLooker&&) noexcept;
  ThreadLooker& operator=(ThreadLooker&&) noexcept;
  ~ThreadLooker();

  // Exit::kNoTarget if the process has ended.
  Result<RawLook> look();
  // At one thread: none if it has ended.
  Result<RawLook> look_at(std::uint32_t tid);
  // Only times, switches and states: no registers and no stacks.
  Result<RawLook> look_at_times();

 private:
  struct Impl;
  Result<RawLook> read(const bpf_link* link, bool times_only);
  explicit ThreadLooker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Pure: the records as they come from the kernel.
Result<RawLook> parse_look(std::string bytes);

}  // namespace dwell
