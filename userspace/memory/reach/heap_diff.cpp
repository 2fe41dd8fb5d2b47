// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/heap_diff.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <tuple>

#include "userspace/base/clock.h"
#include "userspace/memory/heap/inventory.h"

namespace dwell::memory::reach {
namespace {

class Comparison {
 public:
  HeapDiff compare(const HeldBlocks& before, const HeldBlocks& after) {
    after.index->for_each([&](std::uint32_t i, const LiveBlock& block) {
      if (is_in(*before.index, block)) {
        ++diff_.same_blocks, diff_.same_bytes += block.usable;
      } else {
        add(after, i, block, &BornAndDied::born_blocks, &BornAndDied::born_bytes);
      }
    });
    before.index->for_each([&](std::uint32_t i, const LiveBlock& block) {
      if (!is_in(*after.index, block)) add(before, i, block, &BornAndDied::died_blocks, &BornAndDied::died_bytes);
    });
    for (auto& [key, change] : rows_) {
      const auto& [holder, type, held, usable] = key;
      diff_.rows.push_back({holder, type, held, usable, change});
    }
    auto size_of = [](const HeapDiff::Row& row) {
      return std::pair(std::abs(row.change.net()), row.change.born_bytes + row.change.died_bytes);
    };
    std::ranges::stable_sort(diff_.rows, std::ranges::greater(), size_of);
    for (const auto& [index, change] : sizes_)
      diff_.sizes.push_back({index ? heap::largest_of_class(index - 1) + 1 : 0, heap::largest_of_class(index), change});
    return std::move(diff_);
  }

 private:
  using Count = std::uint64_t BornAndDied::*;

  static bool is_in(const BlockIndex& index, const LiveBlock& block) {
    std::uint32_t found = index.find(block.address);
    return found != BlockIndex::kNone && index.usable(found) == block.usable && index.block(found).address == block.address;
  }

  void add(const HeldBlocks& from, std::uint32_t index, const LiveBlock& block, Count blocks, Count bytes) {
    const HeldSums::Label& label = from.labels[index];
    BornAndDied& row = rows_[{from.owners[label.owner], from.types[label.type], label.inherited != 0, label.type ? 0 : block.usable}];
    for (BornAndDied* sum : {&row, &sizes_[heap::size_class_of(block.usable)], &diff_.all}) ++(sum->*blocks), sum->*bytes += block.usable;
  }

  HeapDiff diff_;
  std::map<std::tuple<std::string, std::string, bool, std::uint64_t>, BornAndDied> rows_;
  std::map<std::size_t, BornAndDied> sizes_;
};

void wait_until(std::uint64_t time_ns) {
  timespec time{static_cast<time_t>(time_ns / 1'000'000'000), static_cast<long>(time_ns % 1'000'000'000)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {
  }
}

}  // namespace

HeapDiff compare(const HeldBlocks& before, const HeldBlocks& after) { return Comparison().compare(before, after); }

Result<HeapDiff> watch_heap(const HolderOptions& options, std::uint64_t apart_ns) {
  HeldBlocks before, after;
  std::uint64_t started_ns = monotonic_ns();
  for (HeldBlocks* blocks : {&before, &after}) {
    if (blocks == &after) wait_until(started_ns + apart_ns);
    Result<HolderReport> report = find_holders(options, blocks);
    if (!report) return report.error();
    if (!report->failed.empty())
      return Error{fmt::format("compare two looks at PID {}: {}", options.pid, report->failed), "",
                   Exit::kUnsupported};
  }
  HeapDiff diff = compare(before, after);
  diff.apart_ns = after.time_ns - before.time_ns;
  return diff;
}

}  // namespace dwell::memory::reach
