// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/blocked_time.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "blocked.skel.h"
#include "userspace/collect/each_entry.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/own_run_time.h"

namespace dwell {
namespace {

constexpr const char* kWhat = "blocked time";

// Where a variable of each CPU lies among them. Only what the kernel's type information tells.
std::optional<std::int64_t> place_of(const btf* types, const char* name) {
  std::int32_t section = btf__find_by_name_kind(types, ".data..percpu", BTF_KIND_DATASEC);
  std::int32_t variable = btf__find_by_name_kind(types, name, BTF_KIND_VAR);
  if (section < 0 || variable < 0) return std::nullopt;
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(section));
  const btf_var_secinfo* place = btf_var_secinfos(type);
  for (std::uint32_t left = btf_vlen(type); left > 0; --left, ++place)
    if (place->type == static_cast<std::uint32_t>(variable)) return place->offset;
  return std::nullopt;
}

// 0: this kernel doesn't tell.
std::int64_t preemption_after_run_queue() {
  std::unique_ptr<btf, FreeWith<btf__free>> types(btf__load_vmlinux_btf());
  if (!types) return 0;
  std::optional<std::int64_t> queue = place_of(types.get(), "runqueues");
  std::optional<std::int64_t> count = place_of(types.get(), "__preempt_count");
  // From 6.3 to 6.14 it is a field of what is used most.
  std::optional<std::int64_t> hot = place_of(types.get(), "pcpu_hot");
  constexpr std::int64_t kInHot = 8;  // behind the pointer to the current task
  if (!count && hot) count = *hot + kInHot;
  return queue && count ? *count - *queue : 0;
}

}  // namespace

struct BlockedTime::Impl {
  std::unique_ptr<::blocked, FreeWith<blocked__destroy>> object;
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;

  OutsideWaker waker_of(const dwell_blocked_site& site) const {
    bool outside = site.waker_kind == DWELL_WAKER_OUTSIDE || site.waker_kind == DWELL_WAKER_KERNEL;
    dwell_waker_name waker{};
    if (!outside || bpf_map_lookup_elem(bpf_map__fd(object->maps.waker_names), &site.waker, &waker) != 0)
      return {};
    return {waker.pid, {waker.name, ::strnlen(waker.name, sizeof waker.name)}};
  }
};

BlockedTime::BlockedTime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlockedTime::BlockedTime(BlockedTime&&) noexcept = default;
BlockedTime& BlockedTime::operator=(BlockedTime&&) noexcept = default;
BlockedTime::~BlockedTime() = default;

Result<BlockedTime> BlockedTime::load(const TraceCore& core) {
  auto impl = std::make_unique<Impl>();
  impl->object.reset(blocked__open());
  if (!impl->object) return load_error(kWhat, errno);
  if (Result<void> adopted = core.adopt(impl->object->obj); !adopted) return adopted.error();
  impl->object->rodata->preemption_after_run_queue = preemption_after_run_queue();
  if (int err = blocked__load(impl->object.get())) return load_error(kWhat, -err);
  return BlockedTime(std::move(impl));
}

Result<void> BlockedTime::attach() {
  for (bpf_program* program : {impl_->object->progs.on_switch, impl_->object->progs.on_waking}) {
    impl_->links.emplace_back(bpf_program__attach(program));
    if (!impl_->links.back()) return load_error(kWhat, errno);
  }
  return {};
}

void BlockedTime::assume(Tid kernel_tid, ProcessSlot process, std::uint64_t stack, std::uint64_t since_ns) {
  dwell_blocked_thread thread{};
  thread.since_ns = since_ns;
  thread.site.stack = stack;
  thread.site.process = process;
  thread.site.known = 1;
  // What the kernel's side has noted meanwhile is newer.
  (void)bpf_map_update_elem(bpf_map__fd(impl_->object->maps.blocked_threads), &kernel_tid, &thread, BPF_NOEXIST);
}

void BlockedTime::forget_assumed(Tid kernel_tid) {
  int map = bpf_map__fd(impl_->object->maps.blocked_threads);
  dwell_blocked_thread thread{};
  if (bpf_map_lookup_elem(map, &kernel_tid, &thread) == 0 && thread.site.known) bpf_map_delete_elem(map, &kernel_tid);
}

std::vector<BlockedSum> BlockedTime::read(std::uint64_t now_ns) const {
  std::vector<BlockedSum> sums;
  for_each_entry<dwell_blocked_site, dwell_blocked_time>(
      bpf_map__fd(impl_->object->maps.blocked_sites), [&](const auto& site, const auto& time) {
        sums.push_back({site, impl_->waker_of(site), false, time.ns, time.times});
      });
  for_each_entry<std::uint32_t, dwell_blocked_thread>(
      bpf_map__fd(impl_->object->maps.blocked_threads), [&](std::uint32_t, const auto& thread) {
        if (!thread.since_ns) return;
        std::uint64_t ns = now_ns > thread.since_ns ? now_ns - thread.since_ns : 0;
        sums.push_back({thread.site, {}, true, ns, 1});
      });
  return sums;
}

std::uint64_t BlockedTime::skipped_runs() const { return skipped_runs_of(impl_->object->obj); }
std::uint64_t BlockedTime::lost() const { return impl_->object->bss->lost; }
std::uint64_t BlockedTime::run_time_ns() const { return own_run_time_ns(bpf_map__fd(impl_->object->maps.run_times)); }
void BlockedTime::detach() { impl_->links.clear(); }

}  // namespace dwell
