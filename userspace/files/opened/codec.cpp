// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/codec.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/recording/bytes.h"

namespace dwell::files {
namespace {

void put_descriptor_site(std::string& out, const DescriptorSite& site) {
  for (std::uint64_t value : {std::uint64_t{site.process}, static_cast<std::uint64_t>(site.stack), static_cast<std::uint64_t>(site.kind),
                              static_cast<std::uint64_t>(site.opening)})
    put_uleb(out, value);
}

std::string get_process(Cursor& in, const Recording& recording, ProcessSlot& process) {
  std::uint64_t slot = in.uleb();
  if (in.ok() && slot >= recording.processes.size()) return fmt::format("process {} of {}", slot, recording.processes.size());
  process = static_cast<ProcessSlot>(slot);
  return in.ok() ? "" : kTooShort;
}

// Kinds and ways that a later version knows are others to this one.
std::string get_descriptor_site(Cursor& in, const Recording& recording, DescriptorSite& site) {
  if (std::string wrong = get_process(in, recording, site.process); !wrong.empty()) return wrong;
  std::uint64_t stack = in.uleb(), kind = in.uleb(), opening = in.uleb();
  if (!in.ok()) return kTooShort;
  if (stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  site.stack = static_cast<StackId>(stack);
  site.kind = kind < static_cast<std::uint64_t>(FileKind::kKinds) ? static_cast<FileKind>(kind) : FileKind::kOther;
  site.opening = opening < static_cast<std::uint64_t>(Opening::kOpenings) ? static_cast<Opening>(opening) : Opening::kOpened;
  return "";
}

}  // namespace

std::string encode_descriptor_tick(const DescriptorTick& tick) {
  std::string out;
  put_uleb(out, tick.start_ns);
  put_uleb(out, tick.end_ns);
  put_uleb(out, tick.changes.size());
  for (const DescriptorChange& change : tick.changes) {
    put_descriptor_site(out, change.site);
    put_uleb(out, change.opened);
    put_uleb(out, change.closed);
    put_lifetimes(out, change.lifetimes);
  }
  return out;
}

std::string decode_descriptor_tick(Cursor& in, Recording& out) {
  DescriptorTick tick;
  tick.start_ns = in.uleb();
  tick.end_ns = in.uleb();
  for (std::size_t left = get_count<DescriptorChange>(in); left > 0; --left) {
    DescriptorChange change;
    if (std::string wrong = get_descriptor_site(in, out, change.site); !wrong.empty()) return wrong;
    change.opened = in.uleb();
    change.closed = in.uleb();
    if (std::string wrong = get_lifetimes(in, change.lifetimes); !wrong.empty()) return wrong;
    tick.changes.push_back(std::move(change));
  }
  if (!in.ok()) return kTooShort;
  out.told_until_ns = std::max(out.told_until_ns, tick.end_ns);
  files_of(out).ticks.push_back(std::move(tick));
  return "";
}

std::string encode_open_descriptors(const OpenDescriptors& open) {
  std::string out;
  put_uleb(out, open.time_ns);
  put_uleb(out, open.descriptors.size());
  for (const OpenDescriptor& one : open.descriptors) {
    put_descriptor_site(out, one.site);
    put_uleb(out, one.fd);
    put_uleb(out, one.opened_ns);
    put_uleb(out, one.left_by_peer);
  }
  put_uleb(out, open.checks.size());
  for (const DescriptorCheck& check : open.checks)
    for (std::uint64_t value : {std::uint64_t{check.process}, check.agree, check.gone, check.unseen}) put_uleb(out, value);
  return out;
}

std::string decode_open_descriptors(Cursor& in, Recording& out) {
  OpenDescriptors open;
  open.time_ns = in.uleb();
  for (std::size_t left = get_count<OpenDescriptor>(in); left > 0; --left) {
    OpenDescriptor one;
    if (std::string wrong = get_descriptor_site(in, out, one.site); !wrong.empty()) return wrong;
    one.fd = static_cast<std::uint32_t>(in.uleb());
    one.opened_ns = in.uleb();
    one.left_by_peer = in.uleb() != 0;
    open.descriptors.push_back(one);
  }
  for (std::size_t left = get_count<DescriptorCheck>(in); left > 0; --left) {
    DescriptorCheck check;
    if (std::string wrong = get_process(in, out, check.process); !wrong.empty()) return wrong;
    check.agree = in.uleb();
    check.gone = in.uleb();
    check.unseen = in.uleb();
    open.checks.push_back(check);
  }
  if (!in.ok()) return kTooShort;
  files_of(out).open = std::move(open);
  return "";
}

}  // namespace dwell::files
