// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/cpu_sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bpf/cpu_sample.h"
#include "cpu_sample.skel.h"
#include "userspace/base/clock.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/free_with.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/kernel/load_error.h"

namespace dwell {
namespace {

constexpr std::uint64_t kPeriodNs = 100'000;  // of its CPU time
constexpr std::uint64_t kMostNs = 10'000'000, kPollNs = 200'000;
constexpr std::size_t kEnoughStates = 40;
constexpr std::uint64_t kWatchPeriodNs = 250'000, kWatchPollNs = 2'000'000;

UniqueFd clock_of(std::uint32_t tid, std::uint64_t period_ns) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = period_ns;
  attributes.disabled = 1;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_perf_event_open, &attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC)));
}

using Link = std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>;

}  // namespace

struct CpuSampler::Impl {
  std::unique_ptr<::cpu_sample, FreeWith<cpu_sample__destroy>> object;
  std::unique_ptr<dwell_cpu_sample> buffer = std::make_unique<dwell_cpu_sample>();
  std::unique_ptr<dwell_run_states> run = std::make_unique<dwell_run_states>();

  int map() const { return bpf_map__fd(object->maps.samples); }

  Link start(std::uint32_t index, std::uint32_t tid) {
    *buffer = {};
    if (bpf_map_update_elem(map(), &index, buffer.get(), BPF_ANY) != 0) return nullptr;
    return attach(object->progs.on_clock, index, clock_of(tid, kPeriodNs));
  }

  Link start_watching(std::uint32_t index, std::uint32_t tid) {
    *run = {};
    if (bpf_map_update_elem(bpf_map__fd(object->maps.runs), &index, run.get(), BPF_ANY) != 0) return nullptr;
    return attach(object->progs.on_time_and_again, index, clock_of(tid, kWatchPeriodNs));
  }

  // The link owns the clock.
  static Link attach(bpf_program* program, std::uint32_t index, UniqueFd clock) {
    if (!clock.valid()) return nullptr;
    LIBBPF_OPTS(bpf_perf_event_opts, options, .bpf_cookie = index);
    Link link(bpf_program__attach_perf_event_opts(program, clock.get(), &options));
    if (link) clock.release();
    return link;
  }

  std::span<const dwell_run_state> states(std::uint32_t index) {
    if (bpf_map_lookup_elem(bpf_map__fd(object->maps.runs), &index, run.get()) != 0) return {};
    return std::span(run->states).first(std::min<std::size_t>(run->count, DWELL_RUN_STATES));
  }

  bool taken(std::uint32_t index) {
    return bpf_map_lookup_elem(map(), &index, buffer.get()) == 0 && buffer->state == DWELL_CPU_SAMPLE_TAKEN;
  }
};

CpuSampler::CpuSampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CpuSampler::CpuSampler(CpuSampler&&) noexcept = default;
CpuSampler& CpuSampler::operator=(CpuSampler&&) noexcept = default;
CpuSampler::~CpuSampler() = default;

Result<CpuSampler> CpuSampler::open() {
  auto impl = std::make_unique<Impl>();
  listen_to_libbpf();
  impl->object.reset(cpu_sample__open_and_load());
  if (!impl->object) return bpf_error("load the BPF program that samples running threads", errno);
  return CpuSampler(std::move(impl));
}

std::vector<CpuSample> CpuSampler::sample(std::span<const std::uint32_t> tids) {
  std::uint32_t count = static_cast<std::uint32_t>(std::min<std::size_t>(tids.size(), DWELL_CPU_SAMPLES));
  std::vector<Link> clocks;
  for (std::uint32_t i = 0; i < count; ++i) clocks.push_back(impl_->start(i, tids[i]));
  std::vector<CpuSample> samples;
  std::uint64_t end_ns = monotonic_ns() + kMostNs;
  for (;;) {
    bool waits = false;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!clocks[i]) continue;
      if (!impl_->taken(i)) {
        waits = true;
        continue;
      }
      const dwell_cpu_sample& taken = *impl_->buffer;
      std::string stack(taken.window, std::min<std::size_t>(taken.bytes, sizeof taken.window));
      samples.push_back({tids[i], taken.ip, taken.sp, taken.bp, taken.call, std::move(stack)});
      clocks[i].reset();
    }
    if (!waits || monotonic_ns() > end_ns) return samples;
    timespec moment{0, kPollNs};
    ::nanosleep(&moment, nullptr);
  }
}

std::vector<std::vector<dwell_run_state>> CpuSampler::watch(std::span<const std::uint32_t> tids, std::uint64_t until_ns) {
  std::uint32_t count = static_cast<std::uint32_t>(std::min<std::size_t>(tids.size(), DWELL_CPU_SAMPLES));
  std::vector<Link> clocks;
  for (std::uint32_t i = 0; i < count; ++i) clocks.push_back(impl_->start_watching(i, tids[i]));
  std::vector<std::vector<dwell_run_state>> states(count);
  for (std::uint32_t done = 0; done < count && monotonic_ns() < until_ns;) {
    timespec moment{0, kWatchPollNs};
    ::nanosleep(&moment, nullptr);
    while (done < count && (!clocks[done] || impl_->states(done).size() >= kEnoughStates)) clocks[done++].reset();
  }
  clocks.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    std::span<const dwell_run_state> seen = impl_->states(i);
    states[i].assign(seen.begin(), seen.end());
  }
  return states;
}

}  // namespace dwell
