// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/leaks.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/memory/reach/settling_looks.h"

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kAddressesKept = 5;

class LeakFinder {
 public:
  LeakFinder(pid_t pid, SettlingLooks looks) : pid_(pid), looks_(std::move(looks)) {}

  Result<LeakReport> find() {
    Result<void> looked = looks_.run([&](const SettlingLooks::LastLook& look) { describe(look); });
    if (!looked) return looked.error();
    report_.unsettled = looks_.unsettled();
    report_.looks = looks_.looks();
    report_.bytes_read = looks_.bytes_read();
    return std::move(report_);
  }

 private:
  void describe(const SettlingLooks::LastLook& look) {
    const LiveHeap& live = look.live;
    report_.allocator = live.allocator();
    report_.edges = look.graph.edges();
    report_.live_blocks = live.index().size();
    report_.live_bytes = live.live_bytes();
    std::vector<std::uint32_t> unreachable;
    for (const LiveBlock& block : look.unreachable) unreachable.push_back(live.index().find(block.address));
    report_.lost_blocks = unreachable.size();
    for (const LiveBlock& block : look.unreachable) report_.lost_bytes += block.usable;
    group(live.target(), lost_blocks(live.index(), look.graph, unreachable));
  }

  void group(const heap::Target& target, const std::vector<LostBlock>& lost) {
    heap::BlockKinds kinds(target, heap::file_reader(pid_));
    std::map<std::tuple<std::string, bool, std::uint64_t>, LeakGroup> groups;
    for (const LostBlock& one : lost) {
      heap::BlockKind kind = kinds.of(one.block.address, one.block.usable);
      bool is_class = kind.content == heap::Content::kObject;
      std::string what = is_class ? kinds.mangled(kind.type) : std::string(name_of(kind.content));
      LeakGroup& group = groups[{what, kind.array, one.block.usable}];
      group.what = what, group.is_class = is_class, group.array = kind.array, group.usable = one.block.usable;
      ++group.blocks, group.bytes += one.block.usable;
      group.held_blocks += one.held_blocks, group.held_bytes += one.held_bytes;
      if (group.addresses.size() < kAddressesKept) group.addresses.push_back(one.block.address);
    }
    for (auto& [key, group] : groups) report_.groups.push_back(std::move(group));
    std::sort(report_.groups.begin(), report_.groups.end(), [](const LeakGroup& a, const LeakGroup& b) {
      return a.bytes + a.held_bytes > b.bytes + b.held_bytes;
    });
  }

  pid_t pid_;
  SettlingLooks looks_;
  LeakReport report_;
};

}  // namespace

Result<LeakReport> find_leaks(const LookLimits& limits) {
  std::uint64_t started_ns = monotonic_ns();
  Result<SettlingLooks> looks = SettlingLooks::begin(limits, fmt::format("find leaks of PID {}", limits.pid));
  if (!looks) return looks.error();
  Result<LeakReport> report = LeakFinder(limits.pid, std::move(*looks)).find();
  if (report) report->duration_ns = monotonic_ns() - started_ns;
  return report;
}

}  // namespace dwell::memory::reach
