// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/thread_times.h"

#include <fmt/core.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/thread_times.h"
#include "thread_times.skel.h"
#include "userspace/collect/iterator.h"
#include "userspace/kernel/load_error.h"
#include "userspace/probes/pid_namespace.h"

namespace dwell::memory::windows {
namespace {

constexpr const char* kLoadTimes = "load the BPF program that reads the CPU time of threads";

}  // namespace

struct ThreadTimes::Impl {
  std::unique_ptr<::thread_times, FreeWith<thread_times__destroy>> object;
  IteratorLink link;
  std::string doing;
};

ThreadTimes::ThreadTimes(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ThreadTimes::ThreadTimes(ThreadTimes&&) noexcept = default;
ThreadTimes::~ThreadTimes() = default;

Result<ThreadTimes> ThreadTimes::open(pid_t pid) {
  auto impl = std::make_unique<Impl>();
  impl->doing = fmt::format("read the CPU time of the threads of PID {}", pid);
  impl->object.reset(thread_times__open());
  if (!impl->object) return bpf_error(kLoadTimes, errno);
  if (Result<void> told = tell_pid_namespace(impl->object->obj); !told) return told.error();
  if (int err = thread_times__load(impl->object.get())) return bpf_error(kLoadTimes, -err);
  impl->link = attach_iterator(impl->object->progs.look_at_times, pid, nullptr);
  if (!impl->link) return bpf_error(impl->doing, errno);
  return ThreadTimes(std::move(impl));
}

std::vector<ThreadTime> ThreadTimes::read() const {
  ::sched_yield();  // after which our CPU's copy of the scheduler's clock is fresh
  Result<std::string> bytes = run_iterator(impl_->link.get(), impl_->doing);
  if (!bytes) return {};
  std::vector<dwell_thread_time> records(bytes->size() / sizeof(dwell_thread_time));
  std::memcpy(records.data(), bytes->data(), records.size() * sizeof(dwell_thread_time));
  // No copy is ahead of the clock: the latest one says best how far the clock is ahead of ours.
  std::int64_t ahead = INT64_MIN;
  for (const dwell_thread_time& one : records)
    ahead = std::max(ahead, static_cast<std::int64_t>(std::max(one.reader_clock_ns, one.clock_ns) - one.now_ns));
  std::vector<ThreadTime> times;
  for (const dwell_thread_time& one : records) {
    auto lag = static_cast<std::int64_t>(one.clock_ns - one.task_clock_ns);
    std::int64_t since = static_cast<std::int64_t>(one.now_ns) + ahead - lag - static_cast<std::int64_t>(one.added_up_ns);
    times.push_back({one.tid, one.ran_ns + (one.running ? static_cast<std::uint64_t>(std::max<std::int64_t>(since, 0)) : 0)});
  }
  return times;
}

}  // namespace dwell::memory::windows
