// SPDX-License-Identifier: Apache-2.0
// SeriesTable: the counters of every series, what changed in this tick, and where the peak was.
//
// The peak costs O(1) an event. Each account (a process and a kind) has a highest point and a number for it,
// its epoch. Whenever the account rises above its highest point the epoch advances, and so what every series
// had saved is out of date: its value at the peak is what is live now. A series that is about to change and
// finds its epoch out of date first saves what it has.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "userspace/memory/tick.h"

namespace dwell {

// How much of a series comes or goes: blocks as they were seen, and what they stand for.
struct Amount {
  std::uint64_t blocks = 0, bytes = 0;
  Scaled scaled;  // left at zero in recordings that are not sampled
};

class SeriesTable {
 public:
  SeriesTable(std::uint64_t start_ns, std::uint64_t sample_period);

  std::uint32_t find_or_add(StackId stack, MemoryKind kind, ProcessSlot process);
  std::span<const Series> series() const { return ids_; }

  void allocated(std::uint32_t series, std::uint64_t bytes, std::uint64_t time_ns);
  // `last`: with these bytes the whole block is gone. They count as one free.
  void freed(std::uint32_t series, std::uint64_t bytes, bool last, std::uint64_t lifetime_ns);
  void freed_at_unknown_time(std::uint32_t series, std::uint64_t bytes);  // no lifetime is told
  void inherited(std::uint32_t series, const Amount& amount, std::uint64_t time_ns);
  void dropped(std::uint32_t series, const Amount& amount);

  Amount live(std::uint32_t series) const { return states_[series].live; }
  Amount one_block(std::uint32_t series, std::uint64_t bytes, bool last) const;
  std::uint64_t live_bytes(ProcessSlot process, MemoryKind kind) const { return account(process, kind).bytes; }
  std::uint64_t live_blocks(ProcessSlot process, MemoryKind kind) const { return account(process, kind).blocks; }

  // Rows, lifetimes, moves and peaks of the tick that ends now.
  void take_tick(std::uint64_t now_ns, MemoryTick& tick);

  std::size_t memory_bytes() const;

 private:
  struct Lifetime {
    std::uint8_t log2_ns;
    std::uint64_t blocks, bytes;
  };
  struct State {
    Amount live;
    std::uint64_t peak_blocks = 0, peak_bytes = 0;
    std::uint32_t peak_epoch = 0;
    std::uint32_t account = 0;
    bool touched = false, was_moved = false;
    std::uint64_t allocs = 0, alloc_bytes = 0, frees = 0, freed_bytes = 0;
    absl::InlinedVector<Lifetime, 2> lifetimes;
    Scaled scaled_allocated, scaled_freed;
    MovedRow moved{};
  };
  struct Account {
    std::uint64_t blocks = 0, bytes = 0;
    std::uint64_t peak_bytes = 0, peak_ns = 0;
    std::uint32_t epoch = 1;
    bool changed = false;
  };

  static std::size_t account_index(ProcessSlot process, MemoryKind kind) {
    return process * std::size_t{kMemoryKinds} + static_cast<std::size_t>(kind);
  }
  const Account& account(ProcessSlot process, MemoryKind kind) const {
    static const Account kEmpty;
    std::size_t index = account_index(process, kind);
    return index < accounts_.size() ? accounts_[index] : kEmpty;
  }
  State& before_change(std::uint32_t series);
  void add_live(State& state, const Amount& amount, std::uint64_t time_ns);
  void take_live(State& state, const Amount& amount);
  // What blocks and bytes are counted in: seen ones, or scaled ones if sampled.
  std::uint64_t blocks_of(const Amount& amount) const { return period_ ? amount.scaled.blocks : amount.blocks; }
  std::uint64_t bytes_of(const Amount& amount) const { return period_ ? amount.scaled.bytes : amount.bytes; }
  static void add_lifetime(State& state, std::uint64_t lifetime_ns, std::uint64_t blocks, std::uint64_t bytes);
  void append_rows(std::uint32_t series, MemoryTick& tick);

  std::uint64_t period_;
  std::vector<Series> ids_;
  std::vector<State> states_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> index_;
  std::vector<Account> accounts_;  // by account_index()
  std::uint64_t start_ns_;
  std::vector<std::uint32_t> touched_;
};

}  // namespace dwell
