// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/blocked_time.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

#include "blocked.skel.h"
#include "bpf/blocked.h"
#include "userspace/collect/free_with.h"

namespace dwell {
namespace {

constexpr const char* kWhat = "blocked time";

template <typename Key, typename Value, typename Visit>
void for_each(int map, Visit visit) {
  Key key{}, next{};
  Value value{};
  for (const void* after = nullptr; bpf_map_get_next_key(map, after, &next) == 0; after = &key) {
    key = next;
    if (bpf_map_lookup_elem(map, &key, &value) == 0) visit(key, value);
  }
}

}  // namespace

struct BlockedTime::Impl {
  std::unique_ptr<::blocked, FreeWith<blocked__destroy>> object;
  std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>> link;
};

BlockedTime::BlockedTime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlockedTime::BlockedTime(BlockedTime&&) noexcept = default;
BlockedTime& BlockedTime::operator=(BlockedTime&&) noexcept = default;
BlockedTime::~BlockedTime() = default;

Result<BlockedTime> BlockedTime::load(const TraceCore& core) {
  auto impl = std::make_unique<Impl>();
  impl->object.reset(blocked__open());
  if (!impl->object) return load_error(kWhat, errno);
  core.share_maps(impl->object->obj);
  if (int err = blocked__load(impl->object.get())) return load_error(kWhat, -err);
  impl->link.reset(bpf_program__attach(impl->object->progs.on_switch));
  if (!impl->link) return load_error(kWhat, errno);
  return BlockedTime(std::move(impl));
}

std::vector<BlockedSum> BlockedTime::read(std::uint64_t now_ns, std::set<Tid>& waiting) const {
  std::vector<BlockedSum> sums;
  for_each<dwell_blocked_site, dwell_blocked_time>(
      bpf_map__fd(impl_->object->maps.blocked_sites), [&](const auto& site, const auto& time) {
        sums.push_back({static_cast<ProcessSlot>(site.process), site.stack, time.ns, time.times});
      });
  for_each<std::uint32_t, dwell_blocked_thread>(
      bpf_map__fd(impl_->object->maps.blocked_threads), [&](std::uint32_t tid, const auto& thread) {
        waiting.insert(tid);
        std::uint64_t ns = now_ns > thread.since_ns ? now_ns - thread.since_ns : 0;
        sums.push_back({static_cast<ProcessSlot>(thread.site.process), thread.site.stack, ns, 1});
      });
  return sums;
}

std::uint64_t BlockedTime::lost() const { return impl_->object->bss->lost; }
int BlockedTime::program() const { return bpf_program__fd(impl_->object->progs.on_switch); }
void BlockedTime::detach() { impl_->link.reset(); }

}  // namespace dwell
