// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/codec.h"

#include <fmt/core.h>

#include "userspace/memory/part.h"
#include "userspace/recording/bytes.h"

namespace dwell::memory {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 44;

std::string get_site(Cursor& in, const Recording& recording, TouchedSite& site) {
  std::uint64_t stack = in.uleb();
  if (in.ok() && stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  site.stack = static_cast<StackId>(stack);
  // A kind that a later version knows is memory of no kind that this one can name.
  std::uint64_t kind = in.uleb();
  site.kind = kind <= kTouchedKinds ? static_cast<TouchedKind>(kind) : TouchedKind::kAnonymous;
  site.faults = in.uleb();
  for (std::uint64_t* bytes : {&site.resident, &site.grown, &site.error}) {
    std::uint64_t pages = in.uleb();
    if (pages > kMostPages) return "it tells an impossible size";
    *bytes = pages * kPage;
  }
  return site.faults <= kMostPages ? "" : "it tells an impossible number of page faults";
}

}  // namespace

std::string encode_touched(ProcessSlot process, const TouchedMemory& touched) {
  std::string out;
  put_uleb(out, process);
  put_uleb(out, touched.time_ns);
  put_uleb(out, touched.weight);
  put_uleb(out, kTouchedKinds);
  for (std::uint64_t bytes : touched.unseen) put_uleb(out, bytes / kPage);
  put_uleb(out, touched.sites.size());
  for (const TouchedSite& site : touched.sites) {
    put_uleb(out, static_cast<std::uint64_t>(site.stack));
    put_uleb(out, static_cast<std::uint64_t>(site.kind));
    for (std::uint64_t value : {site.faults, site.resident / kPage, site.grown / kPage, site.error / kPage}) put_uleb(out, value);
  }
  return out;
}

std::string decode_touched(Cursor& in, Recording& out) {
  TouchedMemory touched;
  std::uint64_t process = in.uleb();
  if (process >= out.processes.size()) return "it names a process that was not told before";
  touched.time_ns = in.uleb();
  touched.weight = in.uleb();
  std::uint64_t kinds = in.uleb();
  for (std::size_t i = 0; i < kinds && in.ok(); ++i) {
    std::uint64_t pages = in.uleb();
    if (pages > kMostPages) return "it tells an impossible size";
    touched.unseen[i < kTouchedKinds ? i : static_cast<std::size_t>(TouchedKind::kAnonymous)] += pages * kPage;
  }
  touched.sites.resize(get_count<TouchedSite>(in));
  for (TouchedSite& site : touched.sites)
    if (std::string wrong = get_site(in, out, site); !wrong.empty()) return wrong;
  if (!in.ok()) return kTooShort;
  std::vector<TouchedMemory>& all = memory_of(out).touched;
  if (all.size() <= process) {
    if (!DecodeBudget::take(process + 1 - all.size(), sizeof(TouchedMemory))) return "it takes more memory than a recording may";
    all.resize(process + 1);
  }
  all[process] = std::move(touched);
  return "";
}

}  // namespace dwell::memory
