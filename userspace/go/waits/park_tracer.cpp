// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/park_tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "go_parks.skel.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/map_entries.h"

namespace dwell {
namespace {

constexpr const char* kParksWhat = "parked goroutines";

}  // namespace

struct ParkTracer::Impl {
  std::unique_ptr<::go_parks, FreeWith<go_parks__destroy>> object;
  std::uint64_t windows = 0;
};

ParkTracer::ParkTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ParkTracer::ParkTracer(ParkTracer&&) noexcept = default;
ParkTracer::~ParkTracer() = default;

Result<ParkTracer> ParkTracer::load(const TraceCore& core, AttachMethod method) {
  auto impl = std::make_unique<Impl>();
  impl->object.reset(go_parks__open());
  if (!impl->object) return load_error(kParksWhat, errno);
  if (Result<void> adopted = core.adopt(impl->object->obj); !adopted) return adopted.error();
  set_probe_role(impl->object->progs.on_go, ProbeRole::kEntry, method);
  if (int err = go_parks__load(impl->object.get())) return load_error(kParksWhat, -err);
  return ParkTracer(std::move(impl));
}

ProbePrograms ParkTracer::programs() const { return {bpf_program__fd(impl_->object->progs.on_go), -1, -1}; }

void ParkTracer::open_window() {
  __atomic_store_n(&impl_->object->bss->window, ++impl_->windows, __ATOMIC_RELEASE);
}
void ParkTracer::close_window() { __atomic_store_n(&impl_->object->bss->window, 0, __ATOMIC_RELEASE); }

std::vector<std::pair<dwell_go_site, dwell_go_site_sums>> ParkTracer::sites() const {
  return map_entries<dwell_go_site, dwell_go_site_sums>(impl_->object->maps.sites);
}

std::vector<std::pair<dwell_goroutine_key, dwell_goroutine>> ParkTracer::goroutines() const {
  return map_entries<dwell_goroutine_key, dwell_goroutine>(impl_->object->maps.goroutines);
}

void ParkTracer::forget() {
  clear_map<dwell_go_site, dwell_go_site_sums>(impl_->object->maps.sites);
  clear_map<dwell_goroutine_key, dwell_goroutine>(impl_->object->maps.goroutines);
}

std::vector<dwell_hits> ParkTracer::hits(std::size_t probes) const {
  return read_hits(bpf_map__fd(impl_->object->maps.hits), probes);
}
RunTime ParkTracer::run_time() const {
  return run_time_of(std::array{bpf_program__fd(impl_->object->progs.on_go)});
}
std::uint64_t ParkTracer::lost() const { return impl_->object->bss->lost; }

}  // namespace dwell
