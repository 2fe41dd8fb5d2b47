// SPDX-License-Identifier: Apache-2.0
// The ledger beside a slow and obvious model, over random stories. Whatever the ledger tells by stack, the model
// must tell too: what is live, what the highest point was, and who had what then.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "userspace/memory/ledger.h"

namespace dwell {
namespace {

struct ModelBlock {
  std::uint64_t size;
  std::uint32_t stack;
};

using ByStack = std::map<std::uint32_t, std::uint64_t>;

struct Model {
  std::map<std::uint64_t, ModelBlock> blocks;
  std::uint64_t peak = 0;
  ByStack at_peak;

  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& [address, block] : blocks) sum += block.size;
    return sum;
  }
  ByStack by_stack() const {
    ByStack sums;
    for (const auto& [address, block] : blocks)
      if (block.size) sums[block.stack] += block.size;
    return sums;
  }
  void start_tick() {
    peak = total();
    at_peak = by_stack();
  }
  void note_peak() {
    if (total() <= peak) return;
    peak = total();
    at_peak = by_stack();
  }
};

class RandomStory : public testing::TestWithParam<int> {};

TEST_P(RandomStory, AgreesWithTheModel) {
  std::mt19937_64 random(GetParam());
  auto below = [&](std::uint64_t n) { return random() % n; };
  MemoryLedger ledger(0);
  Model model;
  ByStack live;  // from the ticks alone
  std::uint64_t now = 0;
  for (int tick_number = 0; tick_number < 30; ++tick_number) {
    model.start_tick();
    for (int i = 0; i < 40; ++i) {
      ++now;
      std::uint64_t address = 16 * (1 + below(25)), size = below(100);
      auto stack = static_cast<std::uint32_t>(1 + below(5));
      bool there = model.blocks.contains(address);
      if (!there) {
        ledger.apply(Alloc{now, address, size, StackId{stack}, 1, 0});
        model.blocks[address] = {size, stack};
      } else if (below(3) == 0) {
        std::uint64_t target = below(2) ? address : 16 * (100 + now);
        ledger.apply(ReallocBegin{now, address, 1, 0});
        ledger.apply(ReallocEnd{now, address, target, size, StackId{stack}, 1, 0});
        model.blocks.erase(address);
        model.blocks[target] = {size, stack};
      } else {
        ledger.apply(Free{now, address, 1, 0, false});
        model.blocks.erase(address);
      }
      model.note_peak();
    }
    MemoryTick tick = ledger.take_tick(now);
    ByStack at_peak = live;
    for (const TickRow& row : tick.rows) {
      auto stack = static_cast<std::uint32_t>(ledger.series()[row.series].stack);
      live[stack] += row.alloc_bytes - row.freed_bytes;
      at_peak[stack] = live[stack] + static_cast<std::uint64_t>(row.peak_bytes);
    }
    std::erase_if(live, [](auto& entry) { return entry.second == 0; });
    std::erase_if(at_peak, [](auto& entry) { return entry.second == 0; });
    ASSERT_EQ(live, model.by_stack()) << "tick " << tick_number;
    ASSERT_EQ(at_peak, model.at_peak) << "tick " << tick_number;
    ASSERT_EQ(tick.peaks.at(0).bytes, model.peak);
    ASSERT_EQ(tick.surprises, Surprises{});
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomStory, testing::Range(1, 21));

}  // namespace
}  // namespace dwell
