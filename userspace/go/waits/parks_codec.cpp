// SPDX-License-Identifier: Apache-2.0
// Codec of parked goroutines. Each site has its length in front, so that a later version can say more of it.
#include <fmt/core.h>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

// The same lists of fields write and read: no field can be in one and not in the other.
template <typename Parks, typename Visit>
void visit_head(Parks& p, Visit visit) {
  visit(p.time_ns), visit(p.duration_ns), visit(p.watched_ns), visit(p.windows), visit(p.probe_hits);
  visit(p.trap_ns), visit(p.bpf_ns), visit(p.lost), visit(p.window_cpu_ns);
}
template <typename Site, typename Visit>
void visit_figures(Site& s, Visit visit) {
  visit(s.counted), visit(s.count), visit(s.count_error), visit(s.ns), visit(s.ns_error), visit(s.before);
  visit(s.still), visit(s.max_ns), visit(s.queued), visit(s.queued_ns);
}

std::string encode_site(const GoParkFacts& site) {
  std::string out;
  put_uleb(out, site.process);
  put_uleb(out, static_cast<std::uint64_t>(site.stack));
  put_uleb(out, site.contended);
  put_uleb(out, site.reason);
  visit_figures(site, [&](std::uint64_t value) { put_uleb(out, value); });
  return out;
}

std::string decode_site(Cursor in, const Recording& recording, const GoParks& parks, GoParkFacts& site) {
  std::uint64_t process = in.uleb(), stack = in.uleb();
  site.contended = in.uleb() != 0;
  std::uint64_t reason = in.uleb();
  visit_figures(site, [&](std::uint64_t& value) { value = in.uleb(); });
  if (!in.ok()) return kTooShort;
  if (process >= recording.processes.size())
    return fmt::format("process {} of {}", process, recording.processes.size());
  if (stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  if (reason >= parks.reasons.size()) return fmt::format("reason {} of {}", reason, parks.reasons.size());
  site.process = static_cast<ProcessSlot>(process);
  site.stack = static_cast<StackId>(stack);
  site.reason = static_cast<std::uint32_t>(reason);
  return "";
}

}  // namespace

std::string encode_go_parks(const GoParks& parks) {
  std::string out;
  visit_head(parks, [&](std::uint64_t value) { put_uleb(out, value); });
  put_texts(out, parks.reasons);
  put_uleb(out, parks.sites.size());
  for (const GoParkFacts& site : parks.sites) put_text(out, encode_site(site));
  put_texts(out, parks.notes);
  return out;
}

std::string decode_go_parks(Cursor& in, Recording& out) {
  GoParks parks;
  visit_head(parks, [&](std::uint64_t& value) { value = in.uleb(); });
  parks.reasons = get_texts(in);
  for (std::size_t left = get_count<GoParkFacts>(in); left > 0; --left) {
    Cursor site(get_text(in));
    if (!in.ok()) return kTooShort;
    if (std::string wrong = decode_site(site, out, parks, parks.sites.emplace_back()); !wrong.empty())
      return wrong;
  }
  parks.notes = get_texts(in);
  if (!in.ok()) return kTooShort;
  go_of(out).parks = std::move(parks);
  return "";
}

}  // namespace dwell
