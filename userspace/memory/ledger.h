// SPDX-License-Identifier: Apache-2.0
// MemoryLedger: from events to what is still there and what changed, by stack.
//
// Pure: no file, no descriptor, no clock; time is in the events and in the arguments. Not thread safe.
//
// A block is a 32-byte slot in the hash table of its process and names a series; a series is a stack, a
// process and a kind, with its counters. Mappings are ranges, cut by munmap and by newer mappings.
//
//   blocks of process 0                  series_                          tick
//   0x55..a0 {96 bytes, series 7, ...} ─▶ 7: {stack 41, heap, process 0}   rows[i].series = 7
//                                            live 12 blocks, 1152 bytes      allocs 3, frees 1 ...
//
// A process that ends keeps the blocks that it allocated itself: what it never freed is what one wants to
// see. Those that it inherited by fork are dropped with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "userspace/memory/tick.h"
#include "userspace/memory/event.h"

namespace dwell {

struct LedgerLimits {
  std::size_t max_blocks = std::size_t{16} << 20;  // about 1.2 GB; more are refused and counted
};

struct LiveTotal {
  std::uint64_t blocks = 0;  // plain, or in 1/kScaledBlock if sampled
  std::uint64_t bytes = 0;   // scaled if sampled
};

class MemoryLedger {
 public:
  // `sample_period` 0: every block is seen. Only the heap is sampled; mappings are always exact.
  explicit MemoryLedger(std::uint64_t start_ns, std::uint64_t sample_period = 0, LedgerLimits limits = {});
  MemoryLedger(MemoryLedger&&) noexcept;
  ~MemoryLedger();

  void apply(const Event& event);
  void apply(const Alloc& event);
  void apply(const Free& event);
  void apply(const ReallocBegin& event);
  void apply(const ReallocEnd& event);
  void apply(const Map& event);
  void apply(const Unmap& event);
  void apply(const Fork& event);
  void apply(const ThreadExit& event);
  void apply(const Exec& event);
  void apply(const ProcessExit& event);

  // The first tick begins now, whatever was seen before.
  void begin(std::uint64_t now_ns);

  // What changed since the last tick. Afterwards a new tick begins at `now_ns`.
  MemoryTick take_tick(std::uint64_t now_ns);

  // All series so far; an index in here is a series in ticks and live blocks. Only ever grows.
  std::span<const Series> series() const;

  // Everything that is there now, by series and then by birth and address.
  std::vector<LiveBlock> live_blocks() const;

  // Since the start: blocks that were freed and never seen being allocated, nor given back by an ending thread's cache; and
  // those that were seen.
  std::uint64_t unknown_frees() const;
  std::uint64_t known_allocations() const;
  // The index of a series, which is added if it is new.
  std::uint32_t series_of(StackId stack, MemoryKind kind, ProcessSlot process);
  // Heap blocks of the process that are live, by series; from now on they are not followed, and count as moved away.
  std::vector<LiveBlock> give_up_heap(ProcessSlot process, std::uint64_t now_ns);

  LiveTotal live(MemoryKind kind) const;  // all processes that still run
  std::size_t block_count() const;        // rows that live_blocks() would return, about
  std::size_t memory_bytes() const;       // what the ledger itself takes

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
