// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/collector.h"

#include <array>
#include <limits>

#include "userspace/process/cpu_time.h"
#include "userspace/process/memory_group.h"

namespace dwell {
namespace {

constexpr std::size_t kPauses = 256;  // that the runtime remembers

// runtime.memstats: stkbucket gives the address of one of its fields away. The time of the last collection
// stands in it twice, which nothing else would have at the same distance.
std::uint64_t find_statistics(const GoRuntime& runtime) {
  const GoLayout& layout = runtime.layout();
  const ProcessMemory& memory = runtime.memory();
  for (const CodeReference& reference : runtime.references("runtime.stkbucket")) {
    std::uint64_t at = reference.target - layout.stats_buckets;
    std::optional<std::uint32_t> cycles = memory.load<std::uint32_t>(at + layout.stats_cycles);
    if (!reference.is_address || !cycles || *cycles == 0) continue;
    std::uint64_t last = memory.load<std::uint64_t>(at + layout.stats_last).value_or(0);
    std::size_t slot = (*cycles + kPauses - 1) % kPauses;
    if (last && memory.load<std::uint64_t>(at + layout.stats_pause_ends + slot * 8) == last) return at;
  }
  return 0;
}

// runtime.gcController: the least heap that it collects is 4 MB at the usual 100 percent, and goes with it.
std::uint64_t find_controller(const GoRuntime& runtime) {
  constexpr std::uint64_t kLeastHeap = 4 << 20, kLeastHeapAt = 16;
  for (const CodeReference& reference : runtime.references("runtime.gcStart")) {
    if (!reference.is_address) continue;
    std::int32_t percent = runtime.memory().load<std::int32_t>(reference.target).value_or(0);
    std::uint64_t least = runtime.memory().load<std::uint64_t>(reference.target + kLeastHeapAt).value_or(0);
    // With GOGC=off the percentage is -1, and the runtime multiplies without a look at that.
    bool is_it = (percent > 0 || percent == -1) && least == kLeastHeap * static_cast<std::uint64_t>(std::int64_t{percent}) / 100;
    if (is_it) return reference.target;
  }
  return 0;
}

// The tightest at which the kernel ends processes.
void add_group_limit(pid_t pid, Collector& collector) {
  for (const MemoryLimit& limit : memory_limits(pid)) {
    if (limit.throttles() || (collector.group_limit && *collector.group_limit <= limit.limit)) continue;
    collector.group_limit = limit.limit;
    collector.group_in_use = limit.in_use;
  }
}

}  // namespace

std::optional<Collector> read_collector(const GoRuntime& runtime) {
  const GoLayout& layout = runtime.layout();
  const ProcessMemory& memory = runtime.memory();
  std::uint64_t at = layout.stats_cycles ? find_statistics(runtime) : 0;
  if (!at) return std::nullopt;
  Collector collector;
  collector.cycles = memory.load<std::uint32_t>(at + layout.stats_cycles).value_or(0);
  collector.forced = memory.load<std::uint32_t>(at + layout.stats_forced).value_or(0);
  collector.pauses_ns = memory.load<std::uint64_t>(at + layout.stats_pause_total).value_or(0);
  collector.cpu_share = memory.load<double>(at + layout.stats_cpu_share).value_or(0);
  std::array<std::uint64_t, kPauses> lengths{}, ends{};
  memory.read(at + layout.stats_pauses, lengths.data(), sizeof lengths);
  memory.read(at + layout.stats_pause_ends, ends.data(), sizeof ends);
  for (std::size_t i = 1; i <= std::min<std::size_t>(kPauses, collector.cycles); ++i) {
    std::size_t slot = (collector.cycles + kPauses - i) % kPauses;
    collector.last.push_back({ends[slot], lengths[slot]});
  }
  if (std::uint64_t controller = find_controller(runtime)) {
    collector.percent = memory.load<std::int32_t>(controller + layout.control_percent);
    std::optional<std::int64_t> limit = memory.load<std::int64_t>(controller + layout.control_limit);
    if (limit && *limit != std::numeric_limits<std::int64_t>::max()) collector.limit = limit;
    collector.heap_bytes = memory.load<std::uint64_t>(controller + layout.control_live);
    collector.live_bytes = memory.load<std::uint64_t>(controller + layout.control_marked);
    collector.goal_bytes = memory.load<std::uint64_t>(controller + layout.control_goal);
    constexpr std::uint64_t kNoGoal = std::uint64_t{1} << 62;  // GOGC=off
    if (collector.goal_bytes.value_or(0) >= kNoGoal) collector.goal_bytes.reset();
    if (layout.control_free) collector.idle_bytes = memory.load<std::uint64_t>(controller + layout.control_free);
  }
  add_group_limit(memory.pid(), collector);
  collector.cpu = wanted_cpu_time(memory.pid());
  return collector;
}

}  // namespace dwell
