// SPDX-License-Identifier: Apache-2.0
// Codec of sampled heaps. Each site has its length in front, so that a later version can say more of it.
#include <fmt/core.h>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

// The same lists of fields write and read: no field can be in one and not in the other.
template <typename Allocs, typename Visit>
void visit_head(Allocs& a, Visit visit) {
  visit(a.time_ns), visit(a.duration_ns), visit(a.watched_ns), visit(a.windows), visit(a.probe_hits);
  visit(a.trap_ns), visit(a.bpf_ns), visit(a.lost), visit(a.collections), visit(a.missed);
}
template <typename Site, typename Visit>
void visit_figures(Site& s, Visit visit) {
  visit(s.samples), visit(s.live_samples), visit(s.alloc_objects), visit(s.alloc_bytes);
  visit(s.alloc_bytes_error), visit(s.inuse_objects), visit(s.inuse_bytes), visit(s.inuse_bytes_error);
}

std::string decode_site(Cursor in, const Recording& recording, GoAllocFacts& site) {
  std::uint64_t process = in.uleb(), stack = in.uleb();
  visit_figures(site, [&](std::uint64_t& value) { value = in.uleb(); });
  if (!in.ok()) return kTooShort;
  if (process >= recording.processes.size())
    return fmt::format("process {} of {}", process, recording.processes.size());
  if (stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  site.process = static_cast<ProcessSlot>(process);
  site.stack = static_cast<StackId>(stack);
  return "";
}

}  // namespace

std::string encode_go_allocs(const GoAllocs& allocs) {
  std::string out;
  visit_head(allocs, [&](std::uint64_t value) { put_uleb(out, value); });
  put_uleb(out, allocs.sites.size());
  for (const GoAllocFacts& site : allocs.sites) {
    std::string one;
    put_uleb(one, site.process);
    put_uleb(one, static_cast<std::uint64_t>(site.stack));
    visit_figures(site, [&](std::uint64_t value) { put_uleb(one, value); });
    put_text(out, one);
  }
  put_texts(out, allocs.notes);
  return out;
}

std::string decode_go_allocs(Cursor& in, Recording& out) {
  GoAllocs allocs;
  visit_head(allocs, [&](std::uint64_t& value) { value = in.uleb(); });
  for (std::size_t left = get_count<GoAllocFacts>(in); left > 0; --left) {
    Cursor site(get_text(in));
    if (!in.ok()) return kTooShort;
    if (std::string wrong = decode_site(site, out, allocs.sites.emplace_back()); !wrong.empty()) return wrong;
  }
  allocs.notes = get_texts(in);
  if (!in.ok()) return kTooShort;
  go_of(out).allocs = std::move(allocs);
  return "";
}

}  // namespace dwell
