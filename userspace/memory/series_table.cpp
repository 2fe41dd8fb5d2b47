// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/series_table.h"

#include <algorithm>
#include <bit>

#include "userspace/memory/sampling.h"

namespace dwell {

namespace {

void add(Scaled& to, const Scaled& what) {
  to.blocks += what.blocks;
  to.bytes += what.bytes;
  to.variance += what.variance;
}

void subtract(Scaled& from, const Scaled& what) {
  from.blocks -= what.blocks;
  from.bytes -= what.bytes;
  from.variance -= what.variance;
}

void add_signed(MovedRow& to, const Amount& amount, std::int64_t sign) {
  to.blocks += sign * static_cast<std::int64_t>(amount.blocks);
  to.bytes += sign * static_cast<std::int64_t>(amount.bytes);
  to.scaled_blocks += sign * static_cast<std::int64_t>(amount.scaled.blocks);
  to.scaled_bytes += sign * static_cast<std::int64_t>(amount.scaled.bytes);
  to.scaled_variance += sign * static_cast<std::int64_t>(amount.scaled.variance);
}

}  // namespace

SeriesTable::SeriesTable(std::uint64_t start_ns, std::uint64_t sample_period) : period_(sample_period), start_ns_(start_ns) {}

std::uint32_t SeriesTable::find_or_add(StackId stack, MemoryKind kind, ProcessSlot process) {
  std::uint64_t key = std::uint64_t{static_cast<std::uint32_t>(stack)} << 24 |
                      std::uint64_t{process} << 8 | static_cast<std::uint64_t>(kind);
  auto [it, added] = index_.try_emplace(key, static_cast<std::uint32_t>(states_.size()));
  if (added) {
    ids_.push_back({stack, kind, process});
    std::size_t account = account_index(process, kind);
    Account empty;
    empty.peak_ns = start_ns_;
    if (accounts_.size() <= account) accounts_.resize(account + 1, empty);
    states_.emplace_back().account = static_cast<std::uint32_t>(account);
  }
  return it->second;
}

Amount SeriesTable::one_block(std::uint32_t series, std::uint64_t bytes, bool last) const {
  Amount amount{last ? 1u : 0u, bytes, {}};
  if (period_ == 0) return amount;
  if (ids_[series].kind == MemoryKind::kHeap) {
    amount.scaled = scaled_block(bytes, period_);
  } else {
    amount.scaled = {last ? kScaledBlock : 0, bytes, 0};
  }
  return amount;
}

SeriesTable::State& SeriesTable::before_change(std::uint32_t series) {
  State& state = states_[series];
  Account& account = accounts_[state.account];
  account.changed = true;
  if (state.peak_epoch != account.epoch) {
    state.peak_epoch = account.epoch;
    state.peak_blocks = blocks_of(state.live);
    state.peak_bytes = bytes_of(state.live);
  }
  if (!state.touched) {
    state.touched = true;
    touched_.push_back(series);
  }
  return state;
}

void SeriesTable::add_live(State& state, const Amount& amount, std::uint64_t time_ns) {
  state.live.blocks += amount.blocks;
  state.live.bytes += amount.bytes;
  if (period_) add(state.live.scaled, amount.scaled);
  Account& account = accounts_[state.account];
  account.blocks += blocks_of(amount);
  account.bytes += bytes_of(amount);
  if (account.bytes > account.peak_bytes) {
    account.peak_bytes = account.bytes;
    account.peak_ns = time_ns;
    ++account.epoch;
  }
}

void SeriesTable::take_live(State& state, const Amount& amount) {
  state.live.blocks -= amount.blocks;
  state.live.bytes -= amount.bytes;
  if (period_) subtract(state.live.scaled, amount.scaled);
  Account& account = accounts_[state.account];
  account.blocks -= blocks_of(amount);
  account.bytes -= bytes_of(amount);
}

void SeriesTable::allocated(std::uint32_t series, std::uint64_t bytes, std::uint64_t time_ns) {
  State& state = before_change(series);
  Amount amount = one_block(series, bytes, true);
  ++state.allocs;
  state.alloc_bytes += bytes;
  if (period_) add(state.scaled_allocated, amount.scaled);
  add_live(state, amount, time_ns);
}

void SeriesTable::freed(std::uint32_t series, std::uint64_t bytes, bool last, std::uint64_t lifetime_ns) {
  State& state = before_change(series);
  Amount amount = one_block(series, bytes, last);
  state.frees += amount.blocks;
  state.freed_bytes += bytes;
  if (period_) add(state.scaled_freed, amount.scaled);
  take_live(state, amount);
  add_lifetime(state, lifetime_ns, blocks_of(amount), bytes_of(amount));
}

void SeriesTable::freed_at_unknown_time(std::uint32_t series, std::uint64_t bytes) {
  State& state = before_change(series);
  Amount amount = one_block(series, bytes, true);
  ++state.frees;
  state.freed_bytes += bytes;
  if (period_) add(state.scaled_freed, amount.scaled);
  take_live(state, amount);
}

void SeriesTable::inherited(std::uint32_t series, const Amount& amount, std::uint64_t time_ns) {
  State& state = before_change(series);
  state.was_moved = true;
  add_signed(state.moved, amount, 1);
  add_live(state, amount, time_ns);
}

void SeriesTable::dropped(std::uint32_t series, const Amount& amount) {
  State& state = before_change(series);
  state.was_moved = true;
  add_signed(state.moved, amount, -1);
  take_live(state, amount);
}

void SeriesTable::add_lifetime(State& state, std::uint64_t lifetime_ns, std::uint64_t blocks,
                               std::uint64_t bytes) {
  int width = std::bit_width(lifetime_ns);
  std::uint8_t log2 = width == 0 ? 0 : static_cast<std::uint8_t>(std::min<int>(width - 1, kLongestLifetime));
  for (Lifetime& lifetime : state.lifetimes) {
    if (lifetime.log2_ns != log2) continue;
    lifetime.blocks += blocks;
    lifetime.bytes += bytes;
    return;
  }
  state.lifetimes.push_back({log2, blocks, bytes});
}

void SeriesTable::append_rows(std::uint32_t series, MemoryTick& tick) {
  State& state = states_[series];
  // A saved value of an older epoch says that nothing changed since the highest point.
  bool saved = state.peak_epoch == accounts_[state.account].epoch;
  std::int64_t peak_blocks = saved ? static_cast<std::int64_t>(state.peak_blocks - blocks_of(state.live)) : 0;
  std::int64_t peak_bytes = saved ? static_cast<std::int64_t>(state.peak_bytes - bytes_of(state.live)) : 0;
  tick.rows.push_back({series, state.allocs, state.alloc_bytes, state.frees, state.freed_bytes, peak_blocks, peak_bytes});
  if (period_) tick.scaled.push_back({state.scaled_allocated, state.scaled_freed});

  std::sort(state.lifetimes.begin(), state.lifetimes.end(),
            [](const Lifetime& a, const Lifetime& b) { return a.log2_ns < b.log2_ns; });
  for (const Lifetime& lifetime : state.lifetimes)
    tick.lifetimes.push_back({series, lifetime.log2_ns, lifetime.blocks, lifetime.bytes});
  if (state.was_moved) {
    state.moved.series = series;
    tick.moved.push_back(state.moved);
  }

  state.allocs = state.alloc_bytes = state.frees = state.freed_bytes = 0;
  state.scaled_allocated = state.scaled_freed = {};
  state.lifetimes.clear();
  state.moved = {};
  state.touched = state.was_moved = false;
}

void SeriesTable::take_tick(std::uint64_t now_ns, MemoryTick& tick) {
  std::sort(touched_.begin(), touched_.end());
  tick.rows.reserve(touched_.size());
  for (std::uint32_t series : touched_) append_rows(series, tick);
  touched_.clear();
  for (std::size_t i = 0; i < accounts_.size(); ++i) {
    Account& account = accounts_[i];
    if (account.changed) {
      tick.peaks.push_back({static_cast<ProcessSlot>(i / kMemoryKinds), static_cast<MemoryKind>(i % kMemoryKinds),
                            account.peak_ns, account.peak_bytes});
    }
    account.changed = false;
    account.peak_bytes = account.bytes;
    account.peak_ns = now_ns;
    ++account.epoch;
  }
}

std::size_t SeriesTable::memory_bytes() const {
  return ids_.capacity() * sizeof(Series) + states_.capacity() * sizeof(State) +
         index_.capacity() * (sizeof(decltype(index_)::value_type) + 1) +
         touched_.capacity() * sizeof(std::uint32_t) + accounts_.capacity() * sizeof(Account);
}

}  // namespace dwell
