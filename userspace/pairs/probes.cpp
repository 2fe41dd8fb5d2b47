// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "pairs.skel.h"
#include "pairs_session_context.skel.h"
#include "pairs_session_plain.skel.h"
#include "userspace/collect/free_with.h"
#include "userspace/probes/probe_programs.h"
#include "userspace/probes/session_form.h"

namespace dwell::pairs {

struct PairProbes::Impl {
  std::unique_ptr<::pairs, FreeWith<pairs__destroy>> object;
};

PairProbes::PairProbes(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PairProbes::PairProbes(PairProbes&&) noexcept = default;
PairProbes& PairProbes::operator=(PairProbes&&) noexcept = default;
PairProbes::~PairProbes() = default;

Result<PairProbes> PairProbes::load(const TraceCore& core, AttachMethod method) {
  constexpr const char* kWhat = "pairs";
  auto impl = std::make_unique<Impl>();
  impl->object.reset(DWELL_OPEN_IN_SESSION_FORM(pairs, session_form_for(method)));
  if (!impl->object) return load_error(kWhat, errno);
  ::pairs& object = *impl->object;
  if (Result<void> adopted = core.adopt(object.obj); !adopted) return adopted.error();
  object.rodata->ring_limit_bytes = core.ring_bytes() / 4 * 3;
  prepare_probe_programs(object.progs, method);
  if (int err = pairs__load(&object)) return load_error(kWhat, -err);
  return PairProbes(std::move(impl));
}

ProbePrograms PairProbes::programs() const { return probe_programs_of(impl_->object->progs); }

std::vector<dwell_hits> PairProbes::hits(std::size_t probes) const { return read_hits(bpf_map__fd(impl_->object->maps.hits), probes); }

std::uint64_t PairProbes::skipped_runs() const { return skipped_runs_of(impl_->object->obj); }

RunTime PairProbes::run_time() const {
  ProbePrograms all = programs();
  return run_time_of(std::array{all.entry, all.session, all.returns, all.exits});
}

}  // namespace dwell::pairs
