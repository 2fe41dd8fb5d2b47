// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/looker.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "threads.skel.h"
#include "userspace/base/clock.h"
#include "userspace/base/cursor.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/iterator.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/kernel/load_error.h"
#include "userspace/probes/pid_namespace.h"
#include "userspace/process/surroundings.h"

namespace dwell {
namespace {

constexpr std::uint32_t kFair[] = {0, 3, 5};  // SCHED_NORMAL, SCHED_BATCH, SCHED_IDLE

constexpr const char* kWithout =
    "; without it /proc/PID/task/TID/wchan and /proc/PID/task/TID/syscall tell where a thread waits";

Error look_error(const std::string& doing, int err) {
  Error error = bpf_error(doing, err);
  if (err == ESRCH) error.exit = Exit::kNoTarget;
  error.hint += kWithout;
  return error;
}

IteratorLink attach_to_thread(::threads& object, std::uint32_t tid) {
  bpf_iter_link_info info{};
  info.task.tid = tid;
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof info);
  return IteratorLink(bpf_program__attach_iter(object.progs.look, &options));
}

}  // namespace

struct ThreadLooker::Impl {
  std::unique_ptr<::threads, FreeWith<threads__destroy>> object;
  IteratorLink link;
  pid_t pid = 0;
  std::size_t last_size = 0;
};

ThreadLooker::ThreadLooker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ThreadLooker::ThreadLooker(ThreadLooker&&) noexcept = default;
ThreadLooker& ThreadLooker::operator=(ThreadLooker&&) noexcept = default;
ThreadLooker::~ThreadLooker() = default;

Result<ThreadLooker> ThreadLooker::open(pid_t pid, const LookOptions& options) {
  if (Result<void> kernel = require_kernel(); !kernel) return kernel.error();
  listen_to_libbpf();
  if (Result<void> usable = expect_bpf_surroundings("load the BPF program that looks at threads"); !usable)
    return usable.error();
  auto impl = std::make_unique<Impl>();
  impl->pid = pid;
  struct stat tasks {};
  if (::stat(fmt::format("/proc/{}/task", pid).c_str(), &tasks) == 0)
    impl->last_size = tasks.st_nlink * (sizeof(dwell_thread_record) + DWELL_THREAD_WINDOW);
  impl->object.reset(threads__open());
  if (!impl->object) return look_error("load the BPF program that looks at threads", errno);
  impl->object->rodata->all_kernel_stacks = options.all_kernel_stacks;
  if (Result<void> told = tell_pid_namespace(impl->object->obj); !told) return told.error();
  if (int err = threads__load(impl->object.get()))
    return look_error("load the BPF program that looks at threads", -err);
  impl->link = attach_iterator(impl->object->progs.look, pid, &impl->object->bss->target_tgid);
  if (!impl->link) return look_error(fmt::format("look at the threads of PID {}", pid), errno);
  return ThreadLooker(std::move(impl));
}

Result<RawLook> ThreadLooker::look() { return read(impl_->link.get(), false); }
Result<RawLook> ThreadLooker::look_at_times() { return read(impl_->link.get(), true); }

Result<RawLook> ThreadLooker::look_at(std::uint32_t tid) {
  IteratorLink link = attach_to_thread(*impl_->object, tid);
  if (!link) return look_error(fmt::format("look at thread {}", tid), errno);
  return read(link.get(), false);
}

Result<RawLook> ThreadLooker::read(const bpf_link* link, bool times_only) {
  impl_->object->bss->times_only = times_only;
  // The scheduler notes when we get the CPU back: a mark on its clock that we know on ours.
  timespec moment{0, 1};
  ::nanosleep(&moment, nullptr);
  std::uint64_t started = monotonic_ns();
  UniqueFd file(::bpf_iter_create(bpf_link__fd(link)));
  if (!file.valid()) return look_error(fmt::format("look at the threads of PID {}", impl_->pid), errno);
  Result<std::string> bytes = read_iterator(file.get(), fmt::format("look at the threads of PID {}", impl_->pid), impl_->last_size);
  if (!bytes) return bytes.error();
  impl_->last_size = std::max(impl_->last_size, bytes->size());
  Result<RawLook> look = parse_look(std::move(*bytes));
  if (!look) return look;
  look->started_ns = started;
  look->ended_ns = monotonic_ns();
  if (look->threads.empty() && link == impl_->link.get())
    return Error{fmt::format("look at the threads of PID {}: it has ended", impl_->pid), "", Exit::kNoTarget};
  return look;
}

Result<RawLook> parse_look(std::string bytes) {
  RawLook look;
  Cursor in(bytes);
  std::uint64_t offset = std::numeric_limits<std::uint64_t>::max();
  look.threads.reserve(bytes.size() / (sizeof(dwell_thread_record) + DWELL_THREAD_WINDOW) + 1);
  while (!in.at_end()) {
    SeenThread thread{in.fixed<dwell_thread_record>(), in.offset()};
    in.skip(thread.record.kernel_frames * sizeof(std::uint64_t));
    in.skip(thread.record.stack_bytes);
    if (!in.ok())
      return Error{"look at threads: the kernel's answer ends in the middle of a thread", "", Exit::kFailed};
    // We may have been late to note it, never early: the least difference is the best.
    if (std::uint64_t reader = thread.record.reader_arrival_ns) {
      look.has_times = true;
      offset = std::min<std::uint64_t>(offset, thread.record.time_ns - reader);
    }
    look.threads.push_back(thread);
  }
  look.clock_offset_ns = look.has_times ? offset : 0;
  auto tid = [](const SeenThread& thread) { return thread.record.tid; };
  if (!std::ranges::is_sorted(look.threads, {}, tid)) std::ranges::sort(look.threads, {}, tid);
  look.bytes = std::move(bytes);
  return look;
}

std::string_view RawLook::window(const SeenThread& thread) const {
  std::size_t at = thread.extra_at + thread.record.kernel_frames * sizeof(std::uint64_t);
  return std::string_view(bytes).substr(at, thread.record.stack_bytes);
}

std::vector<std::uint64_t> RawLook::kernel_stack(const SeenThread& thread) const {
  std::vector<std::uint64_t> stack(thread.record.kernel_frames);
  std::memcpy(stack.data(), bytes.data() + thread.extra_at, stack.size() * sizeof(std::uint64_t));
  return stack;
}

const SeenThread* RawLook::find(std::uint32_t tid) const {
  auto found =
      std::ranges::lower_bound(threads, tid, {}, [](const SeenThread& thread) { return thread.record.tid; });
  return found != threads.end() && found->record.tid == tid ? &*found : nullptr;
}

std::uint64_t RawLook::last_ran_ns(const SeenThread& thread) const {
  const dwell_thread_record& record = thread.record;
  if (!has_times || !record.arrival_ns) return 0;
  bool fair = std::ranges::find(kFair, record.policy) != std::end(kFair);
  std::uint64_t ran = record.arrival_ns + clock_offset_ns + (fair ? record.slice_ns : 0);
  std::uint64_t now = record.time_ns;
  return std::clamp<std::uint64_t>(ran, std::min<std::uint64_t>(record.start_ns, now), now);
}

}  // namespace dwell
