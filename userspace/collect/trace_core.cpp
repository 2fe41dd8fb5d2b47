// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/trace_core.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <new>

#include "bpf/events.h"
#include "lifecycle.skel.h"
#include "userspace/base/clock.h"
#include "userspace/base/memory_limit.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/per_cpu.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/probes/pid_namespace.h"
#include "userspace/unwind/unwind_maps.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSmallestRing = 1 << 16;
// A target that sends as fast as we read must not keep us from everything else.
constexpr std::size_t kRecordsAtOnce = 100'000;

struct Consumer {
  TraceCore::RecordHandler handler;
  std::size_t count = 0;
  std::array<std::uint64_t, DWELL_LOST_KINDS> dropped{};  // for want of memory
};

std::size_t loss_of(const void* data, std::size_t size) {
  if (size < sizeof(dwell_header)) return DWELL_LOST_ALLOC;
  switch (static_cast<const dwell_header*>(data)->type) {
    case DWELL_FREE:
    case DWELL_FREE_INNER: return DWELL_LOST_FREE;
    case DWELL_STACK: return DWELL_LOST_STACK;
    case DWELL_MAP:
    case DWELL_UNMAP: return DWELL_LOST_MAP;
    case DWELL_FORK:
    case DWELL_EXEC:
    case DWELL_EXIT: return DWELL_LOST_PROCESS;
    default: return DWELL_LOST_ALLOC;
  }
}

RunTimeCounter& run_time_counter() {
  static RunTimeCounter counter;
  return counter;
}

int hand_over(void* context, void* data, std::size_t size) noexcept {
  auto& consumer = *static_cast<Consumer*>(context);
  // Exceptions must not pass through libbpf. Once memory has run out, the reserve is for the end of the recording, and a table
  // that could not grow is broken: nothing may be put into it any more.
  bool kept = false;
  try {
    if (!out_of_memory()) consumer.handler(data, size), kept = true;
  } catch (const std::bad_alloc&) {
  }
  if (!kept) ++consumer.dropped[loss_of(data, size)];
  return ++consumer.count < kRecordsAtOnce ? 0 : -ECANCELED;  // this record still counts as read
}

}  // namespace

struct TraceCore::Impl {
  std::unique_ptr<::lifecycle, FreeWith<lifecycle__destroy>> lifecycle;
  std::unique_ptr<ring_buffer, FreeWith<ring_buffer__free>> ring;
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;
  Consumer consumer;
  UniqueFd run_time_stats;
  std::uint64_t ring_bytes = 0;
  std::uint64_t loss_reading = 0;
};

std::uint64_t skipped_runs_of(bpf_object* object) {
  std::uint64_t sum = 0;
  bpf_program* program;
  bpf_object__for_each_program(program, object) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    int fd = bpf_program__fd(program);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) sum += info.recursion_misses;
  }
  return sum;
}

TraceCore::TraceCore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceCore::TraceCore(TraceCore&&) noexcept = default;
TraceCore::~TraceCore() = default;

Result<TraceCore> TraceCore::load(const TraceCoreSettings& settings) {
  listen_to_libbpf();
  auto impl = std::make_unique<Impl>();
  impl->lifecycle.reset(lifecycle__open());
  if (!impl->lifecycle) return load_error("process life", errno);
  ::lifecycle& lifecycle = *impl->lifecycle;
  impl->ring_bytes = std::bit_ceil(std::max(settings.ring_bytes, kSmallestRing));
  bpf_map__set_max_entries(lifecycle.maps.events, impl->ring_bytes);
  if (Result<void> ready = prepare_unwind_maps(lifecycle, settings.unwind_sizes); !ready) return ready.error();
  if (Result<void> told = tell_pid_namespace(lifecycle.obj); !told) return told.error();
  if (int err = lifecycle__load(&lifecycle)) return load_error("process life", -err);
  for (bpf_program* program : {lifecycle.progs.on_fork, lifecycle.progs.on_exec, lifecycle.progs.on_exit}) {
    bpf_link* link = bpf_program__attach(program);
    if (!link) return load_error(bpf_program__name(program), errno);
    impl->links.emplace_back(link);
  }
  impl->ring.reset(ring_buffer__new(bpf_map__fd(lifecycle.maps.events), hand_over, &impl->consumer, nullptr));
  if (!impl->ring) return load_error("the ring buffer", errno);
  return TraceCore(std::move(impl));
}

std::uint64_t TraceCore::skipped_runs() const { return skipped_runs_of(impl_->lifecycle->obj); }

Result<void> TraceCore::adopt(bpf_object* object) const {
  bpf_map* ours;
  bpf_object__for_each_map(ours, impl_->lifecycle->obj) {
    if (bpf_map__is_internal(ours)) continue;  // .rodata and the like
    if (bpf_map* theirs = bpf_object__find_map_by_name(object, bpf_map__name(ours)))
      bpf_map__reuse_fd(theirs, bpf_map__fd(ours));
  }
  return tell_pid_namespace(object);
}

std::uint64_t TraceCore::ring_bytes() const { return impl_->ring_bytes; }

UnwindMapFds TraceCore::unwind_maps() const { return unwind_map_fds(*impl_->lifecycle); }

Result<void> TraceCore::add_target(pid_t pid, TargetSlot slot) {
  std::uint32_t key = pid;
  dwell_target target{};
  target.slot = slot;
  if (bpf_map_update_elem(bpf_map__fd(impl_->lifecycle->maps.targets), &key, &target, BPF_ANY))
    return system_error(fmt::format("mark PID {} as a target", pid), errno);
  return {};
}

bool TraceCore::remove_target(pid_t pid) {
  std::uint32_t key = pid;
  return bpf_map_delete_elem(bpf_map__fd(impl_->lifecycle->maps.targets), &key) == 0;
}

void TraceCore::set_handler(RecordHandler record) { impl_->consumer.handler = std::move(record); }

Result<std::size_t> TraceCore::consume() {
  impl_->consumer.count = 0;
  int result = ring_buffer__consume(impl_->ring.get());
  if (result < 0 && result != -ECANCELED) return system_error("read the ring buffer", -result);
  return impl_->consumer.count;
}

int TraceCore::ring_fd() const { return ring_buffer__epoll_fd(impl_->ring.get()); }

std::vector<LossSum> TraceCore::losses() const {
  std::vector<LossSum> sums(DWELL_LOST_KINDS);
  for (std::uint32_t kind = 0; kind < DWELL_LOST_KINDS; ++kind) {
    LossSum& sum = sums[kind];
    std::uint64_t first_ns = ~std::uint64_t{0};
    for (const dwell_loss_count& loss : per_cpu_values<dwell_loss_count>(bpf_map__fd(impl_->lifecycle->maps.losses), kind)) {
      sum.count += loss.count;
      sum.last_ns = std::max<std::uint64_t>(sum.last_ns, loss.last_ns);
      if (loss.count && loss.reading == impl_->loss_reading)
        first_ns = std::min<std::uint64_t>(first_ns, loss.first_ns);
    }
    sum.first_ns = std::min(first_ns, sum.last_ns);
  }
  for (std::size_t kind = 0; kind < sums.size(); ++kind) sums[kind].count += impl_->consumer.dropped[kind];
  return sums;
}

void TraceCore::allow_rests() {
  std::uint32_t only = 0;
  dwell_rest_budget budget{DWELL_MOST_RESTS, monotonic_ns()};
  bpf_map_update_elem(bpf_map__fd(impl_->lifecycle->maps.unwind_rests), &only, &budget, BPF_ANY);
}

void TraceCore::losses_taken() {
  std::uint32_t only = 0;
  ++impl_->loss_reading;
  bpf_map_update_elem(bpf_map__fd(impl_->lifecycle->maps.loss_readings), &only, &impl_->loss_reading, BPF_ANY);
}

Result<void> TraceCore::count_run_time(bool on) {
  impl_->run_time_stats.reset();
  if (!on) return {};
  impl_->run_time_stats.reset(run_time_counter() ? run_time_counter()() : bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!impl_->run_time_stats.valid()) return system_error("count the run time of BPF programs", errno);
  return {};
}

void set_run_time_counter(RunTimeCounter counter) { run_time_counter() = std::move(counter); }

RunTime run_time_of(std::span<const int> program_fds) {
  RunTime sum;
  for (int fd : program_fds) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size)) continue;
    sum.runs += info.run_cnt;
    sum.ns += info.run_time_ns;
  }
  return sum;
}

KnownTime time_of_all_runs(const RunTime& counted, std::uint64_t runs) {
  if (runs == 0) return 0;
  if (counted.runs == 0) return std::nullopt;
  double each = static_cast<double>(counted.ns) / static_cast<double>(counted.runs);
  return static_cast<std::uint64_t>(each * static_cast<double>(runs));
}

std::vector<dwell_hits> read_hits(int map_fd, std::size_t probes) {
  std::vector<dwell_hits> sums(probes);
  for (std::uint32_t probe = 0; probe < probes; ++probe) {
    for (const dwell_hits& one : per_cpu_values<dwell_hits>(map_fd, probe)) {
      sums[probe].entries += one.entries;
      sums[probe].returns += one.returns;
    }
  }
  return sums;
}

}  // namespace dwell
