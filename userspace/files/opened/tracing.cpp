// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/tracing.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "bpf/descriptors.h"
#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/files/looker.h"
#include "userspace/files/opened/codec.h"
#include "userspace/files/opened/counting.h"
#include "userspace/files/opened/kinds.h"

namespace dwell::files {
namespace {

constexpr std::uint64_t kLeftAloneNs = 100 * kMillisecond;  // by the other side: most programs close such a connection at once

std::optional<std::vector<SeenDescriptor>> see_descriptors(pid_t pid) {
  Result<OpenFiles> open = read_open_files(pid);
  if (!open) return std::nullopt;
  std::vector<SeenDescriptor> seen;
  for (const OpenFile& file : open->files) seen.push_back({static_cast<std::uint32_t>(file.fd), file.kind});
  return seen;
}

template <typename Record>
bool read_record(std::span<const std::byte> bytes, Record& record) {
  if (bytes.size() < sizeof record) return false;
  std::memcpy(&record, bytes.data(), sizeof record);
  return true;
}

constexpr const char* kWithoutTrampolines =
    "descriptors are only counted, as this kernel has no BPF trampolines; --files also records who opens them, and slows down the system calls of all processes";

}  // namespace

TracerLoader DescriptorTracing::loader(bool asked) {
  return [asked](const TracerContext& context) { return load(context, asked); };
}

Result<std::unique_ptr<Tracer>> DescriptorTracing::load(const TracerContext& context, bool asked) {
  bool has_trampolines = static_cast<bool>(require_trampolines());
  if (!has_trampolines && !asked) {
    context.note(kWithoutTrampolines);
    return std::unique_ptr<Tracer>(new DescriptorCounting(context));
  }
  Result<DescriptorProbes> probes = DescriptorProbes::load(context.core, has_trampolines ? DescriptorsBy::kTables : DescriptorsBy::kCalls);
  if (!probes && asked) probes = DescriptorProbes::load(context.core, DescriptorsBy::kCalls);
  if (!probes) return probes.error();
  return std::unique_ptr<Tracer>(new DescriptorTracing(context, asked, std::move(*probes)));
}

Result<void> DescriptorTracing::try_program(const TraceCore& core, DescriptorsBy by) {
  Result<DescriptorProbes> probes = DescriptorProbes::load(core, by);
  if (!probes) return probes.error();
  return probes->attach();
}

Result<void> DescriptorTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  processes_.insert_or_assign(slot, Process{facts.pid});
  probes_.add_target(facts.pid);
  return {};
}

void DescriptorTracing::begin(std::uint64_t start_ns) {
  (void)ledger_.take_tick(start_ns);
  if (Result<void> attached = probes_.attach(); !attached) {
    context_.unseen({monotonic_ns(), "files", "who opens descriptors", attached.error().what});
    return;
  }
  for (auto& [slot, process] : processes_)
    if (auto seen = see_descriptors(process.pid)) ledger_.add_before(monotonic_ns(), slot, *seen);
}

Result<void> DescriptorTracing::require_probes(const ProcessFacts& facts) {
  if (asked_) return {};
  return Error{fmt::format("trace PID {}: nothing but its descriptors can be followed", facts.pid), "dwell record --only files",
               Exit::kUnsupported};
}

// What the first process has open when it ends stays in the report: that is what never was closed.
void DescriptorTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end() || news.kind != ProcessNews::Kind::kExited) return;
  found->second.ended = true;
  if (news.process != 0) ledger_.process_ended(news.time_ns, news.process);
}

void DescriptorTracing::on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) {
  auto found = processes_.find(child);
  if (found == processes_.end()) return;
  if (auto seen = see_descriptors(found->second.pid)) ledger_.fork(time_ns, parent, child, *seen);
}

bool DescriptorTracing::decode(const dwell_header& header, ProcessSlot slot, std::span<const std::byte> bytes) {
  dwell_fd_opened opened;
  dwell_fd_closed closed;
  dwell_fd_left left;
  if (header.type == DWELL_FD_OPENED && read_record(bytes, opened)) {
    DescriptorSite site{slot, StackId::kUnknown, kind_of(opened), opening_of(header.probe)};
    if (opened.stack) site.stack = context_.stacks.find(opened.stack, 0, opened.time_ns);
    ledger_.opened({opened.time_ns, opened.fd, site});
    return true;
  }
  if (header.type == DWELL_FD_CLOSED && read_record(bytes, closed)) {
    ledger_.closed(closed.time_ns, slot, closed.first, closed.last);
    return true;
  }
  if (header.type == DWELL_FD_LEFT && read_record(bytes, left)) {
    ledger_.left(left.time_ns, slot, left.first, left.open, header.probe != 0);
    return true;
  }
  return false;
}

void DescriptorTracing::before_last_records() {
  ledger_.expect_check();
  for (auto& [slot, process] : processes_)
    if (!process.ended) look_at_the_end(slot, process);
}

void DescriptorTracing::look_at_the_end(ProcessSlot slot, Process& process) {
  Result<FilesLook> look = look_at_files({process.pid, false});
  if (!look) return;
  process.looked = true;
  for (const SeenFile& seen : look->files) {
    auto fd = static_cast<std::uint32_t>(seen.file.fd);
    process.last_seen.push_back({fd, seen.file.kind});
    bool left = seen.socket && seen.socket->state == "CLOSE_WAIT" && seen.socket->quiet_ns.value_or(0) >= kLeftAloneNs;
    if (left) left_by_peer_.insert({slot, fd});
  }
}

void DescriptorTracing::end() {
  probes_.detach();
  std::uint64_t now_ns = monotonic_ns();
  for (auto& [slot, process] : processes_) {
    bool can_check = process.looked && !process.ended;
    if (can_check) checks_.push_back(ledger_.check(now_ns, slot, process.last_seen));
    may_lack_some_ |= !can_check || checks_.back().gone || checks_.back().unseen;
  }
}

Result<void> DescriptorTracing::write_tick(std::uint64_t now_ns) {
  DescriptorTick tick = ledger_.take_tick(now_ns);
  for (const auto& [slot, process] : processes_) context_.writer.know_process(slot);
  Result<void> written = context_.writer.append(kChunkDescriptorTick, encode_descriptor_tick(tick));
  tick_bytes_ = context_.writer.appended_bytes();
  return written;
}

Result<void> DescriptorTracing::write_live(std::uint64_t now_ns) {
  OpenDescriptors open{now_ns, ledger_.open_descriptors(), checks_};
  for (OpenDescriptor& one : open.descriptors) one.left_by_peer = left_by_peer_.contains({one.site.process, one.fd});
  return context_.writer.append(kChunkOpenDescriptors, encode_open_descriptors(open));
}

TracerCost DescriptorTracing::cost() { return {0, 0, probes_.run_time_ns()}; }

}  // namespace dwell::files
