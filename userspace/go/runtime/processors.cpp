// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/processors.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMostProcessors = 1 << 16;
constexpr std::uint64_t kMostTimers = 10'000'000;
// Since then the list of timers is a structure of its own, and holds each with its time.
constexpr int kFirstWithTimes = 23;

// The processors, if `list` is a list of them: each knows its place in it.
std::vector<std::uint64_t> processors_in(const GoSlice& list, const ProcessMemory& memory) {
  if (list.length == 0 || list.length > list.capacity || list.capacity > kMostProcessors) return {};
  std::vector<std::uint64_t> result(list.length);
  if (!memory.read(list.address, result.data(), result.size() * 8)) return {};
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (memory.load<std::int32_t>(result[i]) != static_cast<std::int32_t>(i)) return {};
  }
  return result;
}

}  // namespace

std::vector<std::uint64_t> find_processors(const GoRuntime& runtime) {
  for (const CodeReference& reference : runtime.references("runtime.procresize")) {
    if (!runtime.module().bss.contains(reference.target)) continue;
    std::optional<GoSlice> list = runtime.memory().load<GoSlice>(reference.target);
    if (!list) continue;
    std::vector<std::uint64_t> found = processors_in(*list, runtime.memory());
    if (!found.empty()) return found;
  }
  return {};
}

GoSlice timer_list_of(const GoRuntime& runtime, std::uint64_t processor) {
  const GoLayout& layout = runtime.layout();
  if (!layout.p_timers) return {};
  std::uint64_t at = processor + layout.p_timers + (layout.minor >= kFirstWithTimes ? 8 : 0);
  GoSlice list = runtime.memory().load<GoSlice>(at).value_or(GoSlice{});
  return list.length <= list.capacity && list.length <= kMostTimers ? list : GoSlice{};
}

std::vector<std::uint64_t> timers_of(const GoRuntime& runtime, std::uint64_t processor) {
  GoSlice list = timer_list_of(runtime, processor);
  std::size_t words = runtime.layout().minor >= kFirstWithTimes ? 2 : 1;
  std::vector<std::uint64_t> entries(list.length * words);
  if (!runtime.memory().read(list.address, entries.data(), entries.size() * 8)) return {};
  std::vector<std::uint64_t> result;
  for (std::size_t i = 0; i < entries.size(); i += words) {
    if (entries[i]) result.push_back(entries[i]);
  }
  return result;
}

}  // namespace dwell
