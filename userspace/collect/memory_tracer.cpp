// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/memory_tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "alloc.skel.h"
#include "lifecycle.skel.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/bpf_log.h"
#include "userspace/unwind/unwind_maps.h"

namespace dwell {
namespace {

constexpr std::uint32_t kSampledBlocks = 8u << 20;

template <auto destroy>
struct FreeWith {
  template <typename T>
  void operator()(T* thing) const {
    destroy(thing);
  }
};

// A target that sends as fast as we read must not keep us from everything else.
constexpr std::size_t kRecordsAtOnce = 100'000;

struct Consumer {
  MemoryTracer::RecordHandler handler;
  std::size_t count = 0;
};

int hand_over(void* context, void* data, std::size_t size) noexcept {
  auto& consumer = *static_cast<Consumer*>(context);
  consumer.handler(data, size);
  return ++consumer.count < kRecordsAtOnce ? 0 : -ECANCELED;  // this record still counts as read
}

Error load_error(const char* what, int err) {
  Error error = system_error(fmt::format("load the BPF programs for {}", what), err,
                             "run: dwell doctor, which tells what this kernel allows");
  std::string log = last_bpf_complaint();
  if (!log.empty()) error.what += " (" + log + ")";
  if (err == EPERM) error.hint = "run as root, or grant CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; then: dwell doctor";
  return error;
}

}  // namespace

struct MemoryTracer::Impl {
  std::unique_ptr<::alloc, FreeWith<alloc__destroy>> alloc;
  std::unique_ptr<::lifecycle, FreeWith<lifecycle__destroy>> lifecycle;
  std::unique_ptr<ring_buffer, FreeWith<ring_buffer__free>> ring;
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;
  Consumer consumer;
  UniqueFd run_time_stats;
  std::uint64_t ring_bytes = 0;
};

MemoryTracer::MemoryTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MemoryTracer::MemoryTracer(MemoryTracer&&) noexcept = default;
MemoryTracer::~MemoryTracer() = default;

Result<MemoryTracer> MemoryTracer::load(const TracerSettings& settings) {
  listen_to_libbpf();
  auto impl = std::make_unique<Impl>();
  impl->alloc.reset(alloc__open());
  if (!impl->alloc) return load_error("allocations", errno);
  ::alloc& alloc = *impl->alloc;

  impl->ring_bytes = std::bit_ceil(std::max<std::uint64_t>(settings.ring_bytes, 1 << 16));
  bpf_map__set_max_entries(alloc.maps.events, impl->ring_bytes);
  alloc.rodata->sample_bytes = settings.sample_bytes;
  alloc.rodata->ring_limit_bytes = impl->ring_bytes / 4 * 3;
  alloc.rodata->throwing_bytes = settings.throwing_bytes;
  if (settings.sample_bytes) bpf_map__set_max_entries(alloc.maps.sampled_blocks, kSampledBlocks);
  struct {
    bpf_program* program;
    ProbeRole role;
  } roles[] = {{alloc.progs.on_call, ProbeRole::kSession},
               {alloc.progs.on_entry, ProbeRole::kEntry},
               {alloc.progs.on_return, ProbeRole::kReturn}};
  for (auto& [program, role] : roles) {
    bpf_program__set_autoload(program, role_needed(role, settings.method));
    set_probe_role(program, role, settings.method);
  }
  set_unwind_map_sizes(alloc, settings.unwind_sizes);
  if (int err = alloc__load(&alloc)) return load_error("allocations", -err);

  impl->lifecycle.reset(lifecycle__open());
  if (!impl->lifecycle) return load_error("process life", errno);
  ::lifecycle& lifecycle = *impl->lifecycle;
  bpf_map__reuse_fd(lifecycle.maps.events, bpf_map__fd(alloc.maps.events));
  bpf_map__reuse_fd(lifecycle.maps.losses, bpf_map__fd(alloc.maps.losses));
  bpf_map__reuse_fd(lifecycle.maps.targets, bpf_map__fd(alloc.maps.targets));
  bpf_map__reuse_fd(lifecycle.maps.unwind_spaces, bpf_map__fd(alloc.maps.unwind_spaces));
  if (int err = lifecycle__load(&lifecycle)) return load_error("process life", -err);
  for (bpf_program* program : {lifecycle.progs.on_fork, lifecycle.progs.on_exec, lifecycle.progs.on_exit}) {
    bpf_link* link = bpf_program__attach(program);
    if (!link) return load_error(bpf_program__name(program), errno);
    impl->links.emplace_back(link);
  }

  impl->ring.reset(ring_buffer__new(bpf_map__fd(alloc.maps.events), hand_over, &impl->consumer, nullptr));
  if (!impl->ring) return load_error("the ring buffer", errno);
  return MemoryTracer(std::move(impl));
}

UnwindMapFds MemoryTracer::unwind_maps() const { return unwind_map_fds(*impl_->alloc); }

ProbePrograms MemoryTracer::programs() const {
  auto fd = [](bpf_program* program) { return bpf_program__autoload(program) ? bpf_program__fd(program) : -1; };
  const auto& progs = impl_->alloc->progs;
  return {fd(progs.on_entry), fd(progs.on_call), fd(progs.on_return)};
}

Result<void> MemoryTracer::add_target(pid_t pid, ProcessSlot slot) {
  std::uint32_t key = pid;
  dwell_target target{};
  target.slot = slot;
  if (bpf_map_update_elem(bpf_map__fd(impl_->alloc->maps.targets), &key, &target, BPF_ANY))
    return system_error(fmt::format("mark PID {} as a target", pid), errno);
  return {};
}

void MemoryTracer::set_handler(RecordHandler record) { impl_->consumer.handler = std::move(record); }

Result<std::size_t> MemoryTracer::consume() {
  impl_->consumer.count = 0;
  int result = ring_buffer__consume(impl_->ring.get());
  if (result < 0 && result != -ECANCELED) return system_error("read the ring buffer", -result);
  return impl_->consumer.count;
}

int MemoryTracer::ring_fd() const { return ring_buffer__epoll_fd(impl_->ring.get()); }

std::vector<std::uint64_t> MemoryTracer::losses() const {
  int cpus = libbpf_num_possible_cpus();
  std::vector<std::uint64_t> per_cpu(cpus), sums(DWELL_LOST_KINDS);
  for (std::uint32_t kind = 0; kind < DWELL_LOST_KINDS; ++kind) {
    if (bpf_map_lookup_elem(bpf_map__fd(impl_->alloc->maps.losses), &kind, per_cpu.data())) continue;
    for (std::uint64_t count : per_cpu) sums[kind] += count;
  }
  return sums;
}

std::vector<dwell_hits> MemoryTracer::hits(std::size_t probes) const {
  int cpus = libbpf_num_possible_cpus();
  std::vector<dwell_hits> per_cpu(cpus), sums(probes);
  for (std::uint32_t probe = 0; probe < probes; ++probe) {
    if (bpf_map_lookup_elem(bpf_map__fd(impl_->alloc->maps.hits), &probe, per_cpu.data())) continue;
    for (const dwell_hits& one : per_cpu) {
      sums[probe].entries += one.entries;
      sums[probe].returns += one.returns;
    }
  }
  return sums;
}

Result<void> MemoryTracer::count_run_time(bool on) {
  if (!on) {
    impl_->run_time_stats.reset();
    return {};
  }
  impl_->run_time_stats.reset(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!impl_->run_time_stats.valid()) return system_error("count the run time of BPF programs", errno);
  return {};
}

MemoryTracer::RunTime MemoryTracer::run_time() const {
  RunTime sum;
  ProbePrograms all = programs();
  for (int fd : {all.entry, all.session, all.returns}) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size)) continue;
    sum.runs += info.run_cnt;
    sum.ns += info.run_time_ns;
  }
  return sum;
}

}  // namespace dwell
