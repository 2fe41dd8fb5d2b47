// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "go_contexts.skel.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/map_entries.h"

namespace dwell {
namespace {

constexpr const char* kContextsWhat = "contexts";

}  // namespace

struct ContextTracer::Impl {
  std::unique_ptr<::go_contexts, FreeWith<go_contexts__destroy>> object;
};

ContextTracer::ContextTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ContextTracer::ContextTracer(ContextTracer&&) noexcept = default;
ContextTracer::~ContextTracer() = default;

Result<ContextTracer> ContextTracer::load(const TraceCore& core, AttachMethod method) {
  auto impl = std::make_unique<Impl>();
  impl->object.reset(go_contexts__open());
  if (!impl->object) return load_error(kContextsWhat, errno);
  if (Result<void> adopted = core.adopt(impl->object->obj); !adopted) return adopted.error();
  set_probe_role(impl->object->progs.on_context, ProbeRole::kEntry, method);
  if (int err = go_contexts__load(impl->object.get())) return load_error(kContextsWhat, -err);
  return ContextTracer(std::move(impl));
}

ProbePrograms ContextTracer::programs() const {
  return {bpf_program__fd(impl_->object->progs.on_context), -1, -1};
}

void ContextTracer::learn(std::uint64_t process, std::uint64_t itab, dwell_go_context_end end) {
  dwell_go_context_key key{itab, process};
  auto value = static_cast<std::uint8_t>(end);
  bpf_map_update_elem(bpf_map__fd(impl_->object->maps.itabs), &key, &value, BPF_ANY);
}

std::vector<std::pair<dwell_go_context_site, dwell_go_context_sums>> ContextTracer::sites() const {
  return map_entries<dwell_go_context_site, dwell_go_context_sums>(impl_->object->maps.sites);
}

std::vector<std::pair<dwell_go_context_key, dwell_go_context>> ContextTracer::alive() const {
  return map_entries<dwell_go_context_key, dwell_go_context>(impl_->object->maps.contexts);
}

std::vector<dwell_hits> ContextTracer::hits(std::size_t probes) const {
  return read_hits(bpf_map__fd(impl_->object->maps.hits), probes);
}
RunTime ContextTracer::run_time() const {
  return run_time_of(std::array{bpf_program__fd(impl_->object->progs.on_context)});
}
std::uint64_t ContextTracer::lost() const { return impl_->object->bss->lost; }
std::uint64_t ContextTracer::unknown() const { return impl_->object->bss->unknown; }

}  // namespace dwell
