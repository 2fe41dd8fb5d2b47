// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/ledger.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "userspace/memory/block_table.h"
#include "userspace/memory/mapping_table.h"
#include "userspace/memory/series_table.h"

namespace dwell {

namespace {

// A block in the hands of realloc. Its address may be given to another thread before realloc returns, so
// it is not in the block table meanwhile; it still counts as live.
struct ParkedBlock {
  std::uint64_t address;
  std::optional<Block> block;  // none: realloc of a block never seen
};

struct ProcessState {
  BlockTable blocks;
  MappingTable mappings;
  absl::flat_hash_map<Tid, ParkedBlock> parked;
  std::uint64_t forked_ns = 0;  // what was born before was inherited
  bool ended = false;
};

std::uint64_t since(std::uint64_t birth_ns, std::uint64_t now_ns) { return now_ns > birth_ns ? now_ns - birth_ns : 0; }

std::uint64_t end_of(std::uint64_t address, std::uint64_t size) {
  return address + std::min(size, ~std::uint64_t{0} - address);
}

}  // namespace

struct MemoryLedger::Impl {
  Impl(std::uint64_t start_ns, std::uint64_t sample_period, LedgerLimits given)
      : table(start_ns, sample_period), limits(given), tick_start_ns(start_ns) {}

  SeriesTable table;
  LedgerLimits limits;
  std::vector<std::unique_ptr<ProcessState>> processes;  // by ProcessSlot
  std::size_t block_count = 0;  // in all block tables and mapping tables, and parked
  std::uint64_t tick_start_ns;
  std::uint64_t events = 0;
  Surprises surprises;
  std::uint64_t unknown_frees = 0, known_allocations = 0;  // since the start
  // By thread: unknown frees since it last did something that is understood. What stands here when the thread ends is
  // the allocator's cache of blocks that the program had freed already.
  absl::flat_hash_map<Tid, std::uint64_t> last_frees;

  void freed_unknown(Tid tid) {
    constexpr std::size_t kMostThreads = 1 << 16;
    ++surprises.unknown_frees;
    ++unknown_frees;
    if (last_frees.size() < kMostThreads) ++last_frees[tid];
  }
  void understood(Tid tid) {
    if (!last_frees.empty()) last_frees.erase(tid);
  }

  ProcessState& process(ProcessSlot slot) {
    if (processes.size() <= slot) processes.resize(slot + std::size_t{1});
    if (!processes[slot]) processes[slot] = std::make_unique<ProcessState>();
    return *processes[slot];
  }

  void put(ProcessState& state, std::uint64_t address, const Block& block);
  void release(const Block& block, std::uint64_t now_ns);
  void release_at_unknown_time(const Block& block);
  void put_back(ProcessState& state, const ParkedBlock& parked);
  void settle_orphan(ParkedBlock& parked);
  std::optional<ParkedBlock> take_parked(ProcessState& state, const ReallocEnd& event);
  void unmap(ProcessState& state, std::uint64_t start, std::uint64_t end, std::uint64_t now_ns);
  void drop_all(ProcessSlot slot);
  void drop_inherited(ProcessState& state);
  std::vector<std::uint32_t> copy_series(ProcessSlot parent, ProcessSlot child, std::uint64_t time_ns);
};

// Puts a block at its address; one that still stands there has been freed without our seeing it.
void MemoryLedger::Impl::put(ProcessState& state, std::uint64_t address, const Block& block) {
  Block* there = state.blocks.find_or_insert(address, block);
  if (!there) {
    ++block_count;
    return;
  }
  ++surprises.implied_frees;
  release_at_unknown_time(*there);
  ++block_count;
  *there = block;
}

void MemoryLedger::Impl::release(const Block& block, std::uint64_t now_ns) {
  --block_count;
  table.freed(block.series, block.size, true, since(block.birth_ns, now_ns));
}

void MemoryLedger::Impl::release_at_unknown_time(const Block& block) {
  --block_count;
  table.freed_at_unknown_time(block.series, block.size);
}

MemoryLedger::MemoryLedger(std::uint64_t start_ns, std::uint64_t sample_period, LedgerLimits limits)
    : impl_(std::make_unique<Impl>(start_ns, sample_period, limits)) {}
MemoryLedger::MemoryLedger(MemoryLedger&&) noexcept = default;
MemoryLedger::~MemoryLedger() = default;

void MemoryLedger::apply(const Event& event) {
  std::visit([this](const auto& typed) { apply(typed); }, event);
}

void MemoryLedger::apply(const Alloc& event) {
  ++impl_->events;
  if (event.address == 0) return;  // a failed allocation is no block
  ++impl_->known_allocations;
  impl_->understood(event.tid);
  ProcessState& state = impl_->process(event.process);
  if (impl_->block_count >= impl_->limits.max_blocks) {
    ++impl_->surprises.refused_blocks;
    return;
  }
  std::uint32_t series = impl_->table.find_or_add(event.stack, MemoryKind::kHeap, event.process);
  impl_->put(state, event.address, {event.time_ns, event.size, series, event.tid});
  impl_->table.allocated(series, event.size, event.time_ns);
}

void MemoryLedger::apply(const Free& event) {
  ++impl_->events;
  if (event.address == 0) return;
  ProcessState& state = impl_->process(event.process);
  if (std::optional<Block> block = state.blocks.take(event.address)) {
    impl_->release(*block, event.time_ns);
    impl_->understood(event.tid);
  } else if (!event.inner) {
    impl_->freed_unknown(event.tid);
  }
}

// A realloc that began and did not end: its block was freed or moved, and we do not know which.
void MemoryLedger::Impl::settle_orphan(ParkedBlock& parked) {
  ++surprises.orphan_reallocs;
  if (parked.block) release_at_unknown_time(*parked.block);
}

void MemoryLedger::apply(const ReallocBegin& event) {
  ++impl_->events;
  ProcessState& state = impl_->process(event.process);
  auto [it, first] = state.parked.try_emplace(event.tid);
  if (!first) impl_->settle_orphan(it->second);
  it->second = {event.address, state.blocks.take(event.address)};
}

std::optional<ParkedBlock> MemoryLedger::Impl::take_parked(ProcessState& state, const ReallocEnd& event) {
  auto it = state.parked.find(event.tid);
  if (it == state.parked.end()) return std::nullopt;
  ParkedBlock parked = it->second;
  state.parked.erase(it);
  if (parked.address == event.old_address) return parked;
  settle_orphan(parked);
  return std::nullopt;
}

void MemoryLedger::Impl::put_back(ProcessState& state, const ParkedBlock& parked) {
  if (!parked.block) return;
  --block_count;  // put() counts it again
  put(state, parked.address, *parked.block);
}

void MemoryLedger::apply(const ReallocEnd& event) {
  ++impl_->events;
  ProcessState& state = impl_->process(event.process);
  std::optional<ParkedBlock> parked = impl_->take_parked(state, event);
  bool failed = event.address == 0 && event.size > 0;
  if (failed) {
    if (parked) impl_->put_back(state, *parked);
    return;
  }
  if (!parked && event.old_address != 0) {
    ++impl_->surprises.orphan_reallocs;
    parked = ParkedBlock{event.old_address, state.blocks.take(event.old_address)};
  }
  if (parked && parked->block) impl_->release(*parked->block, event.time_ns);
  if (parked && !parked->block) impl_->freed_unknown(event.tid);
  if (event.address == 0) return;
  --impl_->events;  // the allocation counts it
  apply(Alloc{event.time_ns, event.address, event.size, event.stack, event.tid, event.process});
}

void MemoryLedger::Impl::unmap(ProcessState& state, std::uint64_t start, std::uint64_t end, std::uint64_t now_ns) {
  std::size_t before = state.mappings.size();
  for (const MappingTable::Removed& removed : state.mappings.remove(start, end))
    table.freed(removed.series, removed.bytes, removed.last, since(removed.birth_ns, now_ns));
  block_count += state.mappings.size() - before;  // wraps around to a subtraction
}

void MemoryLedger::apply(const Map& event) {
  ++impl_->events;
  if (event.size == 0) return;
  ProcessState& state = impl_->process(event.process);
  MemoryKind kind = event.kind;
  if (event.old_size != 0) {
    // mremap does not say what kind of memory it moves; the range that it moves does.
    if (std::optional<std::uint32_t> old = state.mappings.series_at(event.old_address))
      kind = impl_->table.series()[*old].kind;
    impl_->unmap(state, event.old_address, end_of(event.old_address, event.old_size), event.time_ns);
  }
  std::uint64_t end = end_of(event.address, event.size);
  impl_->unmap(state, event.address, end, event.time_ns);
  if (impl_->block_count >= impl_->limits.max_blocks) {
    ++impl_->surprises.refused_blocks;
    return;
  }
  std::uint32_t series = impl_->table.find_or_add(event.stack, kind, event.process);
  state.mappings.insert(event.address, end, series, event.time_ns, event.tid);
  ++impl_->block_count;
  impl_->table.allocated(series, end - event.address, event.time_ns);
}

void MemoryLedger::apply(const Unmap& event) {
  ++impl_->events;
  impl_->unmap(impl_->process(event.process), event.address, end_of(event.address, event.size), event.time_ns);
}

// Gives each series of the parent that has something live a twin in the child. By parent's series.
std::vector<std::uint32_t> MemoryLedger::Impl::copy_series(ProcessSlot parent, ProcessSlot child,
                                                           std::uint64_t time_ns) {
  std::size_t count = table.series().size();
  std::vector<std::uint32_t> twins(count, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    Series series = table.series()[i];
    Amount live = table.live(i);
    if (series.process != parent || (live.blocks == 0 && live.bytes == 0)) continue;
    twins[i] = table.find_or_add(series.stack, series.kind, child);
    table.inherited(twins[i], live, time_ns);
  }
  return twins;
}

void MemoryLedger::apply(const Fork& event) {
  ++impl_->events;
  if (event.parent == event.child) return;
  impl_->drop_all(event.child);
  ProcessState& parent = impl_->process(event.parent);
  ProcessState& child = impl_->process(event.child);
  child.forked_ns = event.time_ns;
  child.ended = false;
  std::size_t copied = parent.blocks.size() + parent.mappings.size() + parent.parked.size();
  if (impl_->block_count + copied > impl_->limits.max_blocks) {
    impl_->surprises.refused_blocks += copied;
    return;
  }
  std::vector<std::uint32_t> twins = impl_->copy_series(event.parent, event.child, event.time_ns);
  child.blocks = parent.blocks;
  child.blocks.for_each([&](std::uint64_t, Block& block) { block.series = twins[block.series]; });
  child.mappings = parent.mappings;
  child.mappings.replace_series([&](std::uint32_t series) { return twins[series]; });
  impl_->block_count += child.blocks.size() + child.mappings.size();
  // The child has only the thread that forked; what the others were reallocating stays where it was.
  for (const auto& [tid, parked] : parent.parked) {
    if (!parked.block) continue;
    Block block = *parked.block;
    block.series = twins[block.series];
    if (!child.blocks.find_or_insert(parked.address, block)) {
      ++impl_->block_count;
    } else {
      impl_->table.dropped(block.series, impl_->table.one_block(block.series, block.size, true));
    }
  }
}

void MemoryLedger::Impl::drop_all(ProcessSlot slot) {
  if (processes.size() <= slot || !processes[slot]) return;
  ProcessState& state = *processes[slot];
  for (std::uint32_t i = 0; i < table.series().size(); ++i) {
    Amount live = table.live(i);
    if (table.series()[i].process == slot && (live.blocks != 0 || live.bytes != 0)) table.dropped(i, live);
  }
  block_count -= state.blocks.size() + state.mappings.size();
  for (const auto& [tid, parked] : state.parked) block_count -= parked.block ? 1 : 0;
  state.blocks.clear();
  state.mappings.clear();
  state.parked.clear();
}

void MemoryLedger::apply(const ThreadExit& event) {
  auto last = impl_->last_frees.find(event.tid);
  if (last == impl_->last_frees.end()) return;
  impl_->surprises.cache_frees += last->second;
  impl_->unknown_frees -= last->second;
  impl_->last_frees.erase(last);
}

void MemoryLedger::apply(const Exec& event) {
  ++impl_->events;
  impl_->drop_all(event.process);
  impl_->process(event.process).forked_ns = 0;
}

void MemoryLedger::Impl::drop_inherited(ProcessState& state) {
  std::uint64_t forked_ns = state.forked_ns;
  std::size_t before = state.blocks.size() + state.mappings.size();
  state.blocks.erase_if([&](const Block& block) {
    if (block.birth_ns >= forked_ns) return false;
    table.dropped(block.series, table.one_block(block.series, block.size, true));
    return true;
  });
  for (const MappingTable::Removed& removed : state.mappings.remove_born_before(forked_ns))
    table.dropped(removed.series, table.one_block(removed.series, removed.bytes, removed.last));
  block_count -= before - (state.blocks.size() + state.mappings.size());
}

void MemoryLedger::apply(const ProcessExit& event) {
  ++impl_->events;
  ProcessState& state = impl_->process(event.process);
  for (auto& [tid, parked] : state.parked) impl_->put_back(state, parked);
  state.parked.clear();
  impl_->drop_inherited(state);
  state.ended = true;
}

void MemoryLedger::begin(std::uint64_t now_ns) { impl_->tick_start_ns = std::max(now_ns, impl_->tick_start_ns); }

std::uint64_t MemoryLedger::unknown_frees() const { return impl_->unknown_frees; }
std::uint64_t MemoryLedger::known_allocations() const { return impl_->known_allocations; }

MemoryTick MemoryLedger::take_tick(std::uint64_t now_ns) {
  MemoryTick tick;
  tick.start_ns = impl_->tick_start_ns;
  tick.end_ns = std::max(now_ns, tick.start_ns);
  tick.events = std::exchange(impl_->events, 0);
  tick.surprises = std::exchange(impl_->surprises, {});
  impl_->table.take_tick(tick.end_ns, tick);
  impl_->tick_start_ns = tick.end_ns;
  return tick;
}

std::span<const Series> MemoryLedger::series() const { return impl_->table.series(); }

std::vector<LiveBlock> MemoryLedger::live_blocks() const {
  std::vector<LiveBlock> live;
  live.reserve(impl_->block_count);
  for (const std::unique_ptr<ProcessState>& state : impl_->processes) {
    if (!state) continue;
    auto add = [&](std::uint64_t address, const Block& block) {
      live.push_back({address, block.size, block.birth_ns, block.series, block.tid, false});
    };
    state->blocks.for_each(add);
    for (const auto& [tid, parked] : state->parked)
      if (parked.block) add(parked.address, *parked.block);
    state->mappings.for_each([&](std::uint64_t start, const MappingTable::Piece& piece, bool part) {
      live.push_back({start, piece.end - start, piece.birth_ns, piece.series, piece.tid, part});
    });
  }
  std::sort(live.begin(), live.end(), [](const LiveBlock& a, const LiveBlock& b) {
    if (a.series != b.series) return a.series < b.series;
    if (a.birth_ns != b.birth_ns) return a.birth_ns < b.birth_ns;
    return a.address < b.address;
  });
  return live;
}

std::uint32_t MemoryLedger::series_of(StackId stack, MemoryKind kind, ProcessSlot process) {
  return impl_->table.find_or_add(stack, kind, process);
}

std::vector<LiveBlock> MemoryLedger::give_up_heap(ProcessSlot process, std::uint64_t now_ns) {
  ProcessState& state = impl_->process(process);
  for (auto& [tid, parked] : state.parked) impl_->put_back(state, parked);
  state.parked.clear();
  std::vector<LiveBlock> blocks;
  state.blocks.for_each([&](std::uint64_t address, const Block& block) {
    blocks.push_back({address, block.size, std::min(block.birth_ns, now_ns), block.series, block.tid, false});
    impl_->table.dropped(block.series, impl_->table.one_block(block.series, block.size, true));
  });
  impl_->block_count -= state.blocks.size();
  state.blocks.clear();
  std::sort(blocks.begin(), blocks.end(), [](const LiveBlock& a, const LiveBlock& b) {
    return a.series != b.series ? a.series < b.series : a.birth_ns < b.birth_ns;
  });
  return blocks;
}

LiveTotal MemoryLedger::live(MemoryKind kind) const {
  LiveTotal total;
  for (std::size_t slot = 0; slot < impl_->processes.size(); ++slot) {
    const std::unique_ptr<ProcessState>& state = impl_->processes[slot];
    if (!state || state->ended) continue;
    total.blocks += impl_->table.live_blocks(static_cast<ProcessSlot>(slot), kind);
    total.bytes += impl_->table.live_bytes(static_cast<ProcessSlot>(slot), kind);
  }
  return total;
}

std::size_t MemoryLedger::block_count() const { return impl_->block_count; }

std::size_t MemoryLedger::memory_bytes() const {
  std::size_t bytes = impl_->table.memory_bytes();
  for (const std::unique_ptr<ProcessState>& state : impl_->processes) {
    if (!state) continue;
    bytes += state->blocks.memory_bytes() + state->mappings.size() * 2 * sizeof(MappingTable::Piece);
  }
  return bytes;
}

}  // namespace dwell
