// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>

#include "alloc.skel.h"
#include "alloc_session_context.skel.h"
#include "alloc_session_plain.skel.h"
#include "userspace/collect/free_with.h"
#include "userspace/probes/probe_programs.h"
#include "userspace/probes/session_form.h"

namespace dwell {
namespace {

constexpr std::uint32_t kSampledBlocks = 8u << 20;
constexpr const char* kWhat = "allocations";
constexpr std::size_t kLogBytes = DWELL_WINDOW_BLOCKS * sizeof(dwell_window_block);

}  // namespace

struct MemoryTracer::Impl {
  std::unique_ptr<::alloc, FreeWith<alloc__destroy>> alloc;
  void* log = MAP_FAILED;
  ~Impl() {
    if (log != MAP_FAILED) ::munmap(log, kLogBytes);
  }
};

MemoryTracer::MemoryTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MemoryTracer::MemoryTracer(MemoryTracer&&) noexcept = default;
MemoryTracer::~MemoryTracer() = default;

Result<MemoryTracer> MemoryTracer::load(const TraceCore& core, const MemoryTracerSettings& settings) {
  auto impl = std::make_unique<Impl>();
  impl->alloc.reset(DWELL_OPEN_IN_SESSION_FORM(alloc, session_form_for(settings.method)));
  if (!impl->alloc) return load_error(kWhat, errno);
  ::alloc& alloc = *impl->alloc;
  if (Result<void> adopted = core.adopt(alloc.obj); !adopted) return adopted.error();
  alloc.rodata->sample_bytes = settings.sample_bytes;
  alloc.rodata->ring_limit_bytes = core.ring_bytes() / 4 * 3;
  alloc.rodata->budgeted = settings.budgeted;
  if (settings.budgeted) bpf_map__set_max_entries(alloc.maps.window_log, DWELL_WINDOW_BLOCKS);
  if (settings.sample_bytes) bpf_map__set_max_entries(alloc.maps.sampled_blocks, kSampledBlocks);
  prepare_probe_programs(alloc.progs, settings.method);
  if (int err = alloc__load(&alloc)) return load_error(kWhat, -err);
  return MemoryTracer(std::move(impl));
}

ProbePrograms MemoryTracer::programs() const { return probe_programs_of(impl_->alloc->progs); }

Result<memory::windows::KernelLevels> MemoryTracer::levels() {
  ::alloc& alloc = *impl_->alloc;
  if (impl_->log == MAP_FAILED)
    impl_->log = ::mmap(nullptr, kLogBytes, PROT_READ, MAP_SHARED, bpf_map__fd(alloc.maps.window_log), 0);
  if (impl_->log == MAP_FAILED) return system_error("map the log of windows", errno);
  std::span<const dwell_window_block> log(static_cast<const dwell_window_block*>(impl_->log), DWELL_WINDOW_BLOCKS);
  return memory::windows::KernelLevels(alloc.bss->levels, &alloc.bss->window_number, &alloc.bss->window_events, log);
}

std::vector<dwell_hits> MemoryTracer::hits(std::size_t probes) const {
  return read_hits(bpf_map__fd(impl_->alloc->maps.hits), probes);
}

std::uint64_t MemoryTracer::skipped_runs() const { return skipped_runs_of(impl_->alloc->obj); }

RunTime MemoryTracer::run_time() const {
  ProbePrograms all = programs();
  return run_time_of(std::array{all.entry, all.session, all.returns, all.exits});
}

}  // namespace dwell
