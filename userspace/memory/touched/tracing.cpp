// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/tracing.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "bpf/faults.h"
#include "userspace/base/clock.h"
#include "userspace/collect/own_run_time.h"
#include "userspace/memory/account/look.h"
#include "userspace/memory/process_sampler.h"
#include "userspace/memory/touched/codec.h"
#include "userspace/memory/touched/resident.h"

namespace dwell::memory {
namespace {

constexpr std::size_t kMostPagesKept = std::size_t{1} << 19;              // of all processes: about 20 MB
constexpr std::uint64_t kMostEntries = std::uint64_t{8} << 20;        // of pagemap, when the recording begins: 32 GB
constexpr double kUsualNs = 1500;         // of a fault that is sent: most of it is the walk of the stack
constexpr std::uint64_t kFewFaults = 64;  // of fewer, the price is not known
constexpr std::uint64_t kMostInBetween = std::uint64_t{1} << 30;      // bytes of a process that is looked at while it is recorded

// Where heaps lie is not looked for.
OwnedMemory mappings_only(pid_t pid) {
  LookOptions options;
  options.pid = pid;
  options.walk = false;
  Result<MemoryLook> look = look_at_memory(options);
  return look ? std::move(look->owned) : OwnedMemory();
}

}  // namespace

TracerLoader TouchedTracing::loader(bool alone, std::shared_ptr<KeptLooks> looks) {
  return [alone, looks](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    Result<PageFaults> faults = PageFaults::load(context.core);
    if (!faults) return faults.error();
    return std::unique_ptr<Tracer>(new TouchedTracing(context, alone, looks, std::move(*faults)));
  };
}

Result<void> TouchedTracing::try_program(const TraceCore& core) {
  Result<PageFaults> faults = PageFaults::load(core);
  if (!faults) return faults.error();
  Result<void> attached = faults->attach();
  faults->detach();
  return attached;
}

Result<void> TouchedTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  processes_.insert_or_assign(slot, Process{facts.pid});
  faults_.add_target(facts.pid);
  return {};
}

// What was there before is looked at when faults are seen already: a page that comes in between counts by its fault.
void TouchedTracing::begin(std::uint64_t) {
  if (Result<void> attached = faults_.attach(); !attached) {
    context_.unseen({monotonic_ns(), "memory", "who touches memory first", attached.error().what});
    return;
  }
  for (auto& [slot, process] : processes_)
    if (Result<std::vector<MappingUse>> uses = read_mapping_uses(process.pid))
      process.before = PresentPages::read(*uses, Pagemap(process.pid), kMostEntries);
}

Result<void> TouchedTracing::require_probes(const ProcessFacts& facts) {
  if (alone_) return {};
  return Error{fmt::format("trace PID {}: nothing but its page faults can be followed", facts.pid),
               "dwell record --only memory:touched", Exit::kUnsupported};
}

void TouchedTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  if (news.kind == ProcessNews::Kind::kExited) found->second.ended = true;
  if (news.kind == ProcessNews::Kind::kExecuted) {
    found->second.pages.clear();
    found->second.before.emplace();
    found->second.looked = false;
  }
}

bool TouchedTracing::decode(const dwell_header& header, ProcessSlot slot, std::span<const std::byte> bytes) {
  if (header.type != DWELL_FAULT || bytes.size() < sizeof(dwell_fault_record)) return false;
  dwell_fault_record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  auto found = processes_.find(slot);
  if (found == processes_.end()) return true;
  PageFault fault;
  fault.page = record.address >> DWELL_FAULT_PAGE_SHIFT;
  fault.shift = header.probe >> 8;
  fault.write = header.probe & DWELL_FAULT_WRITE;
  fault.was_there = header.probe & DWELL_FAULT_PROTECTED;
  if (record.stack) fault.stack = context_.stacks.find(record.stack, 0, record.time_ns);
  TouchedPages& pages = found->second.pages;
  pages.apply(fault);
  if (std::uint32_t shift = pages.fit(kMostPagesKept / processes_.size())) faults_.send_at_most(shift);
  return true;
}

std::optional<TouchedMemory> TouchedTracing::look(ProcessSlot slot, const Process& process, std::uint64_t now_ns) const {
  OwnedMemory owned;
  if (auto kept = looks_->last.find(slot); kept != looks_->last.end()) owned = std::move(kept->second);
  if (owned.uses.empty()) owned = mappings_only(process.pid);
  if (owned.uses.empty()) return std::nullopt;  // it is ending
  TouchedMemory made = touched_and_resident(process.pages, owned, Pagemap(process.pid), process.before ? &*process.before : nullptr);
  made.time_ns = now_ns;
  return made;
}

Result<void> TouchedTracing::write_tick(std::uint64_t) { return {}; }

// Of a process that has ended, what was found last.
Result<void> TouchedTracing::write_live(std::uint64_t now_ns) {
  for (auto& [slot, process] : processes_) {
    std::optional<MemorySample> sample = process.ended ? std::nullopt : read_memory_sample(process.pid);
    // A child that ended before it could be followed is not in the recording, and nobody tells of its end.
    if (!sample && !process.ended && slot != 0) continue;
    bool now = sample && (detached_ || sample->resident() <= kMostInBetween);
    std::optional<TouchedMemory> found = now ? look(slot, process, now_ns) : std::nullopt;
    if (!found && process.looked) continue;
    if (!found) {
      found.emplace();
      for (const auto& [stack, faults] : process.pages.faults()) found->sites.push_back({.stack = stack, .faults = faults});
      found->weight = std::uint64_t{1} << process.pages.largest_shift();
    }
    process.looked |= found->time_ns != 0;
    context_.writer.know_process(slot);
    Result<void> written = context_.writer.append(kChunkTouched, encode_touched(slot, *found));
    if (!written) return written;
  }
  return {};
}

TracerCost TouchedTracing::cost() {
  PageFaults::Spent spent = faults_.spent();
  return {0, 0, spent.sent_ns + (spent.sent + spent.unsent) * kAroundRunNs};
}

// As many faults are sent as the budget has room for, by what one has cost so far. Those that are not sent cost a little, too.
Result<void> TouchedTracing::poll(std::uint64_t now_ns) {
  if (context_.overhead.share() <= 0 || now_ns - limited_ns_ < OverheadShares::kEveryNs) return {};
  std::uint64_t cpu_ns = 0;
  for (const auto& [slot, process] : processes_)
    if (!process.ended) cpu_ns += process_cpu_ns(process.pid).value_or(0);
  PageFaults::Spent spent = faults_.spent();
  double passed = static_cast<double>(now_ns - limited_ns_) / 1e9;
  double cpus = limited_ns_ ? static_cast<double>(cpu_ns - std::min(cpu_ns_, cpu_ns)) / 1e9 / passed : 0;
  double unsent_ns = limited_ns_ ? static_cast<double>((spent.unsent - spent_.unsent) * kAroundRunNs) / passed : 0;
  limited_ns_ = now_ns, cpu_ns_ = cpu_ns, spent_ = spent;
  double each_ns = kAroundRunNs + (spent.sent >= kFewFaults ? static_cast<double>(spent.sent_ns) / static_cast<double>(spent.sent) : kUsualNs);
  double idle = part_->share * kIdleCpu * 1e9 / each_ns, now = std::max(0.0, part_->share * std::max(cpus, kIdleCpu) * 1e9 - unsent_ns) / each_ns;
  faults_.limit(now, std::max(now * kKeptSeconds, idle * kIdleKeptSeconds));
  return {};
}

}  // namespace dwell::memory
