// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/holding_tracing.h"

#include <fmt/core.h>

#include <utility>

#include "ui/values.h"
#include "userspace/base/clock.h"
#include "userspace/base/text.h"
#include "userspace/base/time_units.h"
#include "userspace/memory/holding_codec.h"
#include "userspace/memory/process_sampler.h"

namespace dwell::memory {
namespace {

constexpr std::uint64_t kLongestNs = 3 * kSecond;  // for all processes; no look begins after it

}  // namespace

TracerLoader HoldingTracing::loader(std::shared_ptr<KeptBlocks> blocks) {
  return [blocks](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    return std::unique_ptr<Tracer>(new HoldingTracing(context, blocks));
  };
}

Result<void> HoldingTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  processes_[slot] = facts.pid;
  return {};
}

Result<void> HoldingTracing::require_probes(const ProcessFacts& facts) {
  return Error{fmt::format("trace PID {}: what holds blocks can only be told of those that are recorded", facts.pid), "", Exit::kUnsupported};
}

void HoldingTracing::on_process_event(const ProcessNews& news) {
  if (news.kind == ProcessNews::Kind::kExited) processes_.erase(news.process);
}

Result<void> HoldingTracing::write_live(std::uint64_t) {
  if (!detached_) return {};
  std::uint64_t began_ns = monotonic_ns();
  for (const auto& [slot, pid] : processes_) {
    auto blocks = blocks_->blocks.find(slot);
    std::uint64_t spent_ns = monotonic_ns() - began_ns;
    if (blocks == blocks_->blocks.end() || blocks->second.empty() || spent_ns >= kLongestNs) continue;
    Holding holding = look(pid, std::move(blocks->second), kLongestNs - spent_ns);
    if (holding.time_ns == 0) continue;  // it is ending
    if (Result<void> written = context_.writer.append(kChunkHolding, encode_holding(slot, holding)); !written) return written;
  }
  return {};
}

Holding HoldingTracing::look(pid_t pid, std::vector<reach::FollowedBlock> blocks, std::uint64_t most_ns) const {
  std::optional<MemorySample> memory = read_memory_sample(pid);
  if (!memory) return {};
  Holding none;
  none.unsettled = why_not_walked(*memory, ~std::uint64_t{0});
  if (memory->anonymous > kLargestHeap)
    none.unsettled = fmt::format("more than {} of memory is not searched at the end of a recording; dwell memory {} --leaks does that",
                                 human_bytes(static_cast<double>(kLargestHeap)), pid);
  if (none.unsettled.empty()) {
    Result<Holding> holding = reach::find_holding({pid, 0, most_ns}, blocks);
    if (holding) return std::move(*holding);
    none.unsettled = holding.error().what;
  }
  none.time_ns = monotonic_ns();
  return none;
}

}  // namespace dwell::memory
