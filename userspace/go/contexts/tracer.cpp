// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "go_contexts.skel.h"
#include "userspace/collect/free_with.h"

namespace dwell {
namespace {

constexpr const char* kWhat = "contexts";

template <typename Key, typename Value>
std::vector<std::pair<Key, Value>> entries_of(bpf_map* map) {
  constexpr std::uint32_t kAtOnce = 4096;
  std::vector<std::pair<Key, Value>> entries;
  std::vector<Key> keys(kAtOnce);
  std::vector<Value> values(kAtOnce);
  std::uint32_t at = 0;  // the bucket at which the kernel goes on
  for (bool first = true;; first = false) {
    std::uint32_t count = kAtOnce;
    int error = bpf_map_lookup_batch(bpf_map__fd(map), first ? nullptr : &at, &at, keys.data(), values.data(),
                                     &count, nullptr);
    if (error && error != -ENOENT) return entries;
    for (std::uint32_t i = 0; i < count; ++i) entries.emplace_back(keys[i], values[i]);
    if (error) return entries;
  }
}

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
  if (!impl->object) return load_error(kWhat, errno);
  if (Result<void> adopted = core.adopt(impl->object->obj); !adopted) return adopted.error();
  set_probe_role(impl->object->progs.on_context, ProbeRole::kEntry, method);
  if (int err = go_contexts__load(impl->object.get())) return load_error(kWhat, -err);
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
  return entries_of<dwell_go_context_site, dwell_go_context_sums>(impl_->object->maps.sites);
}

std::vector<std::pair<dwell_go_context_key, dwell_go_context>> ContextTracer::alive() const {
  return entries_of<dwell_go_context_key, dwell_go_context>(impl_->object->maps.contexts);
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
