// SPDX-License-Identifier: Apache-2.0
// The ledger under events in any order, as a ring that lost some of them hands them over: whatever came, its two
// accounts agree, what is live by ticks and by blocks, and none is ever negative.
#include <cstdlib>
#include <map>

#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"
#include "userspace/memory/ledger.h"

namespace {

using dwell::testing::Input;

struct Sum {
  std::int64_t blocks = 0, bytes = 0;
  bool operator==(const Sum&) const = default;
};

// Few of each, so that events meet.
std::uint64_t address_in(Input& input) {
  std::uint8_t choice = input.byte();
  return choice == 255 ? ~std::uint64_t{0} : choice % 24 * 0x1000;
}
std::uint64_t size_in(Input& input) {
  std::uint8_t choice = input.byte();
  return choice < 250 ? choice * 0x400 : ~std::uint64_t{0} >> (choice - 240);
}

class Machine {
 public:
  Machine(std::uint64_t sample_period, std::size_t most_blocks) : ledger_(0, sample_period, {most_blocks}) {}

  void step(Input& input) {
    std::uint8_t what = input.byte();
    dwell::ProcessSlot process = input.byte() % 4;
    auto stack = static_cast<dwell::StackId>(input.byte() % 5);
    auto kind = static_cast<dwell::MemoryKind>(input.byte() % dwell::kMemoryKinds);
    dwell::Tid tid = input.byte() % 3;
    now_ += input.byte() == 7 ? std::uint64_t{1} << 50 : 1;
    std::uint64_t a = address_in(input), size = size_in(input);
    switch (what % 12) {
      case 0:
      case 1: return ledger_.apply(dwell::Alloc{now_, a, size % (std::uint64_t{1} << 40), stack, tid, process});
      case 2: return ledger_.apply(dwell::Free{now_, a, tid, process, what > 128});
      case 3: return ledger_.apply(dwell::ReallocBegin{now_, a, tid, process});
      case 4: return ledger_.apply(dwell::ReallocEnd{now_, a, address_in(input), size % (std::uint64_t{1} << 40), stack, tid, process});
      case 5:
      case 6: {
        std::uint64_t old = what & 64 ? address_in(input) : 0, old_size = what & 64 ? size_in(input) : 0;
        return ledger_.apply(dwell::Map{now_, a, size % (std::uint64_t{1} << 46), old, old_size, kind, stack, tid, process});
      }
      case 7: return ledger_.apply(dwell::Unmap{now_, a, size, tid, process});
      case 8: return ledger_.apply(dwell::Fork{now_, process, static_cast<dwell::ProcessSlot>(stack)});
      case 9: return ledger_.apply(dwell::Exec{now_, process});
      case 10: return ledger_.apply(dwell::ProcessExit{now_, process});
      case 11: return tick();
    }
  }

  void tick() {
    dwell::MemoryTick tick = ledger_.take_tick(now_);
    if (tick.end_ns < tick.start_ns) std::abort();
    for (const dwell::TickRow& row : tick.rows) {
      Sum& sum = by_ticks_[row.series];
      sum.blocks += static_cast<std::int64_t>(row.allocs - row.frees);
      sum.bytes += static_cast<std::int64_t>(row.alloc_bytes - row.freed_bytes);
    }
    for (const dwell::MovedRow& row : tick.moved) {
      by_ticks_[row.series].blocks += row.blocks;
      by_ticks_[row.series].bytes += row.bytes;
    }
    check();
  }

 private:
  void check() {
    std::map<std::uint32_t, Sum> by_blocks;
    std::size_t rows = 0;
    for (const dwell::LiveBlock& block : ledger_.live_blocks()) {
      if (block.series >= ledger_.series().size()) std::abort();
      by_blocks[block.series].blocks += block.part ? 0 : 1;
      by_blocks[block.series].bytes += static_cast<std::int64_t>(block.size);
      ++rows;
    }
    if (ledger_.block_count() != rows) std::abort();
    for (auto& [series, sum] : by_ticks_) {
      if (sum.blocks < 0 || sum.bytes < 0) std::abort();
      auto found = by_blocks.find(series);
      if (sum != (found == by_blocks.end() ? Sum{} : found->second)) std::abort();
    }
    for (auto& [series, sum] : by_blocks)
      if (!by_ticks_.count(series)) std::abort();
  }

  dwell::MemoryLedger ledger_;
  std::uint64_t now_ = 1;
  std::map<std::uint32_t, Sum> by_ticks_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 1 << 20, 4096);
  Input input(data, size);
  std::uint8_t how = input.byte();
  Machine machine(how & 1 ? 4096 : 0, how & 2 ? 8 : 1000);
  while (input.left()) machine.step(input);
  machine.tick();
  return 0;
}
