// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/locks/sums.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "locks.skel.h"
#include "userspace/collect/each_entry.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/own_run_time.h"
#include "userspace/kernel/trampolines.h"

namespace dwell {
namespace {

constexpr const char* kWhatWaits = "waits for locks";

template <typename Site>
std::vector<std::pair<Site, dwell_lock_wait_sums>> sums_in(const bpf_map* map) {
  std::vector<std::pair<Site, dwell_lock_wait_sums>> all;
  for_each_entry<Site, dwell_lock_wait_sums>(bpf_map__fd(map), [&](const Site& site, const dwell_lock_wait_sums& sums) { all.emplace_back(site, sums); });
  return all;
}

}  // namespace

struct LockSums::Impl {
  std::unique_ptr<::locks, FreeWith<locks__destroy>> object;
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;

  bool by_calls = false;  // by tracepoints of system calls, without trampolines

  std::array<bpf_program*, 3> programs() const {
    auto& progs = object->progs;
    return {by_calls ? progs.on_call : progs.on_futex, progs.on_waking, by_calls ? progs.on_call_end : progs.on_futex_end};
  }
};

LockSums::LockSums(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LockSums::LockSums(LockSums&&) noexcept = default;
LockSums& LockSums::operator=(LockSums&&) noexcept = default;
LockSums::~LockSums() = default;

Result<LockSums> LockSums::load(const TraceCore& core) {
  auto impl = std::make_unique<Impl>();
  impl->object.reset(locks__open());
  if (!impl->object) return load_error(kWhatWaits, errno);
  if (Result<void> adopted = core.adopt(impl->object->obj); !adopted) return adopted.error();
  impl->by_calls = !kernel_has_trampolines();
  auto& progs = impl->object->progs;
  for (bpf_program* program : {progs.on_futex, progs.on_futex_end}) bpf_program__set_autoload(program, !impl->by_calls);
  for (bpf_program* program : {progs.on_call, progs.on_call_end}) bpf_program__set_autoload(program, impl->by_calls);
  if (int err = locks__load(impl->object.get())) return load_error(kWhatWaits, -err);
  return LockSums(std::move(impl));
}

Result<void> LockSums::attach() {
  for (bpf_program* program : impl_->programs()) {
    impl_->links.emplace_back(bpf_program__attach(program));
    if (!impl_->links.back()) return load_error(kWhatWaits, errno);
  }
  return {};
}

void LockSums::add_target(pid_t pid) {
  auto id = static_cast<std::uint32_t>(pid);
  auto* hints = reinterpret_cast<std::uint64_t*>(impl_->object->bss->target_hints);
  hints[id / 64 % DWELL_HINT_WORDS] |= std::uint64_t{1} << id % 64;
}

std::vector<std::pair<dwell_lock_wait_site, dwell_lock_wait_sums>> LockSums::read() const {
  return sums_in<dwell_lock_wait_site>(impl_->object->maps.sites);
}

std::vector<std::pair<dwell_lock_hold_site, dwell_lock_wait_sums>> LockSums::read_holds() const {
  return sums_in<dwell_lock_hold_site>(impl_->object->maps.holds);
}

bool LockSums::follows_all_calls() const { return impl_->by_calls; }

std::uint64_t LockSums::skipped_runs() const { return skipped_runs_of(impl_->object->obj); }

std::uint64_t LockSums::run_time_ns() const { return own_run_time_ns(bpf_map__fd(impl_->object->maps.run_times)); }

void LockSums::detach() { impl_->links.clear(); }

}  // namespace dwell
