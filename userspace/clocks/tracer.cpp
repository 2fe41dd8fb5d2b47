// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "clocks.skel.h"
#include "userspace/base/unique_fd.h"
#include "userspace/clocks/names.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/per_cpu.h"
#include "userspace/kernel/kernel_version.h"

namespace dwell {
namespace {

constexpr const char* kWhat = "clocks";
constexpr std::size_t kMaxEntries = 1 << 20;  // of any map that is read as a whole

// An entry that comes or goes meanwhile may be missed; sums that stay are all there.
template <typename Key, typename Value>
std::vector<std::pair<Key, Value>> entries_of(bpf_map* map) {
  std::vector<std::pair<Key, Value>> entries;
  int fd = bpf_map__fd(map);
  Key key{}, next{};
  for (Key* at = nullptr; entries.size() < kMaxEntries && !bpf_map_get_next_key(fd, at, &next); at = &key) {
    key = next;
    Value value{};
    if (!bpf_map_lookup_elem(fd, &key, &value)) entries.emplace_back(key, value);
  }
  return entries;
}

template <typename Value, typename Add>
Value sum_of_cpus(bpf_map* map, std::uint32_t key, Add add) {
  Value sum{};
  for (const Value& one : per_cpu_values<Value>(bpf_map__fd(map), key)) add(sum, one);
  return sum;
}

}  // namespace

const char* clock_loss_name(std::size_t kind) {
  static constexpr const char* kNames[] = {"reads", "waits", "pairs of reads", "settings of a clock",
                                           "threads", "clocks of timers",
                                           "calls whose timeout could not be read"};
  static_assert(sizeof kNames / sizeof *kNames == DWELL_CLOCK_LOST_KINDS);
  return kNames[kind];
}

namespace {

constexpr KernelVersion kPreemptedTracepoints{7, 0};

// Perf's tracepoints, whose numbers only tracefs tells; without it the others are better than none.
bool wants_perf_tracepoints() {
  std::optional<KernelVersion> kernel = parse_kernel_version(kernel_release());
  return kernel && *kernel >= kPreemptedTracepoints &&
         ::access("/sys/kernel/tracing/events/raw_syscalls/sys_exit/id", R_OK) == 0;
}

}  // namespace

struct ClockTracer::Impl {
  std::unique_ptr<::clocks, FreeWith<clocks__destroy>> clocks;
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;
  std::vector<UniqueFd> samplers, sampler_links;
  std::string why_no_samples;
  std::array<bpf_program*, 2> syscalls = {};  // at their start and end
  std::uint64_t sample_period_ns = 0;
  std::uint64_t windows = 0;

  void sample();
};

ClockTracer::ClockTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClockTracer::ClockTracer(ClockTracer&&) noexcept = default;
ClockTracer::~ClockTracer() = default;

Result<ClockTracer> ClockTracer::load(const TraceCore& core, const ClockTracerSettings& settings) {
  auto impl = std::make_unique<Impl>();
  impl->clocks.reset(clocks__open());
  if (!impl->clocks) return load_error(kWhat, errno);
  ::clocks& clocks = *impl->clocks;
  impl->sample_period_ns = settings.sample_period_ns;
  if (Result<void> adopted = core.adopt(clocks.obj); !adopted) return adopted.error();
  clocks.rodata->trap_ns = settings.trap_ns;
  for (unsigned number = 0; number < DWELL_MAX_SYSCALLS; ++number)
    clocks.rodata->calls[number] = clock_call_of_syscall(number);
  std::array<bpf_program*, 2> raw{clocks.progs.on_syscall, clocks.progs.on_syscall_end};
  std::array<bpf_program*, 2> perf{clocks.progs.on_perf_syscall, clocks.progs.on_perf_syscall_end};
  bool by_perf = wants_perf_tracepoints();
  for (bpf_program* unused : by_perf ? raw : perf) bpf_program__set_autoload(unused, false);
  impl->syscalls = by_perf ? perf : raw;
  set_probe_role(clocks.progs.on_read, ProbeRole::kEntry, settings.method);
  if (int err = clocks__load(&clocks)) return load_error(kWhat, -err);
  return ClockTracer(std::move(impl));
}

ProbePrograms ClockTracer::programs() const {
  return {bpf_program__fd(impl_->clocks->progs.on_read), -1, -1};
}

Result<void> ClockTracer::set_vdso(ProcessSlot slot, const dwell_vdso_range& vdso) {
  std::uint32_t key = slot;
  if (bpf_map_update_elem(bpf_map__fd(impl_->clocks->maps.vdso_ranges), &key, &vdso, BPF_ANY))
    return system_error("tell where the vDSO is", errno);
  return {};
}

void ClockTracer::set_timer_clock(pid_t pid, dwell_clock_call create, std::uint64_t id, std::uint32_t clock) {
  dwell_timer_key key{static_cast<std::uint32_t>(pid), static_cast<std::uint32_t>(create), id};
  bpf_map_update_elem(bpf_map__fd(impl_->clocks->maps.timer_clocks), &key, &clock, BPF_NOEXIST);
}

// One sampler for each CPU: threads come and go, and a program that is not the target's costs one look-up.
void ClockTracer::Impl::sample() {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = sample_period_ns;
  for (int cpu = 0; cpu < libbpf_num_possible_cpus(); ++cpu) {
    int event =
        static_cast<int>(::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
    if (event < 0) {
      if (errno == ENODEV) continue;  // possible, but not there
      why_no_samples = system_error("sample the CPUs' clock", errno).what;
      continue;
    }
    samplers.emplace_back(event);
    int link = bpf_link_create(bpf_program__fd(clocks->progs.on_tick), event, BPF_PERF_EVENT, nullptr);
    if (link < 0)
      why_no_samples = system_error("sample the CPUs' clock", -link).what;
    else
      sampler_links.emplace_back(link);
  }
  if (!sampler_links.empty()) why_no_samples.clear();
}

Result<void> ClockTracer::attach() {
  for (bpf_program* program : impl_->syscalls) {
    bpf_link* link = bpf_program__attach(program);
    if (!link) return load_error(bpf_program__name(program), errno);
    impl_->links.emplace_back(link);
  }
  if (impl_->sample_period_ns) impl_->sample();
  return {};
}

void ClockTracer::detach() {
  impl_->sampler_links.clear();
  impl_->samplers.clear();
  impl_->links.clear();
}

const std::string& ClockTracer::why_no_samples() const { return impl_->why_no_samples; }

void ClockTracer::open_window(std::uint64_t now_ns) {
  impl_->clocks->bss->window_start_ns = now_ns;
  __atomic_store_n(&impl_->clocks->bss->window, ++impl_->windows, __ATOMIC_RELEASE);
}

void ClockTracer::close_window() { __atomic_store_n(&impl_->clocks->bss->window, 0, __ATOMIC_RELEASE); }

void ClockTracer::set_realtime_offset(std::int64_t ns) { impl_->clocks->bss->realtime_offset_ns = ns; }

void ClockTracer::note_step(std::int64_t step_ns) {
  impl_->clocks->bss->last_step_ns = step_ns;
  __atomic_fetch_add(&impl_->clocks->bss->steps, 1, __ATOMIC_RELAXED);
}

std::vector<dwell_hits> ClockTracer::hits(std::size_t probes) const {
  return read_hits(bpf_map__fd(impl_->clocks->maps.hits), probes);
}

RunTime ClockTracer::run_time() const {
  return run_time_of(std::array{bpf_program__fd(impl_->clocks->progs.on_read)});
}

std::vector<std::pair<dwell_read_key, std::uint64_t>> ClockTracer::reads() const {
  return entries_of<dwell_read_key, std::uint64_t>(impl_->clocks->maps.reads);
}

void ClockTracer::drop_reads(const dwell_read_key& key) {
  bpf_map_delete_elem(bpf_map__fd(impl_->clocks->maps.reads), &key);
}

std::vector<std::pair<dwell_wait_key, dwell_wait_stats>> ClockTracer::waits() const {
  return entries_of<dwell_wait_key, dwell_wait_stats>(impl_->clocks->maps.waits);
}

std::vector<std::pair<std::uint32_t, dwell_open_wait>> ClockTracer::open_waits() const {
  return entries_of<std::uint32_t, dwell_open_wait>(impl_->clocks->maps.open_waits);
}

std::vector<std::pair<dwell_pair_key, dwell_pair_stats>> ClockTracer::pairs() const {
  return entries_of<dwell_pair_key, dwell_pair_stats>(impl_->clocks->maps.pairs);
}

dwell_sample_totals ClockTracer::samples(ProcessSlot slot) const {
  return sum_of_cpus<dwell_sample_totals>(impl_->clocks->maps.sample_totals, slot,
                                          [](dwell_sample_totals& to, const dwell_sample_totals& one) {
                                            to.all += one.all;
                                            to.in_kernel += one.in_kernel;
                                            to.in_vdso += one.in_vdso;
                                          });
}

std::uint64_t ClockTracer::skipped_runs() const { return skipped_runs_of(impl_->clocks->obj); }

std::vector<std::uint64_t> ClockTracer::losses() const {
  std::vector<std::uint64_t> sums(DWELL_CLOCK_LOST_KINDS);
  for (std::uint32_t kind = 0; kind < DWELL_CLOCK_LOST_KINDS; ++kind)
    sums[kind] = sum_of_cpus<std::uint64_t>(impl_->clocks->maps.clock_losses, kind,
                                            [](std::uint64_t& to, const std::uint64_t& one) { to += one; });
  return sums;
}

}  // namespace dwell
