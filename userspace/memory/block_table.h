// SPDX-License-Identifier: Apache-2.0
// BlockTable: the live blocks of one process, by address.
//
// 64 hash tables instead of one, so that growing moves a 64th of the blocks at a time: while one table of ten
// million blocks is moved, a ring buffer runs over.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "userspace/memory/event.h"

namespace dwell {

struct Block {
  std::uint64_t birth_ns;
  std::uint64_t size;
  std::uint32_t series;
  Tid tid;
};

class BlockTable {
 public:
  using Shard = absl::flat_hash_map<std::uint64_t, Block>;

  // The block that stands there if there is one already; else `block` is put there.
  Block* find_or_insert(std::uint64_t address, const Block& block) {
    auto [it, inserted] = shard(address).try_emplace(address, block);
    return inserted ? nullptr : &it->second;
  }
  bool contains(std::uint64_t address) { return shard(address).contains(address); }
  std::optional<Block> take(std::uint64_t address) {
    Shard& blocks = shard(address);
    auto it = blocks.find(address);
    if (it == blocks.end()) return std::nullopt;
    Block block = it->second;
    blocks.erase(it);
    return block;
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Shard& blocks : shards_)
      for (const auto& [address, block] : blocks) visit(address, block);
  }
  template <typename Visit>
  void for_each(Visit visit) {
    for (Shard& blocks : shards_)
      for (auto& [address, block] : blocks) visit(address, block);
  }
  template <typename Predicate>
  void erase_if(Predicate predicate) {
    for (Shard& blocks : shards_)
      absl::erase_if(blocks, [&](auto& entry) { return predicate(entry.second); });
  }

  void clear() { shards_ = {}; }
  std::size_t size() const {
    std::size_t sum = 0;
    for (const Shard& blocks : shards_) sum += blocks.size();
    return sum;
  }
  std::size_t memory_bytes() const {
    std::size_t slots = 0;
    for (const Shard& blocks : shards_) slots += blocks.capacity();
    return sizeof shards_ + slots * (sizeof(Shard::value_type) + 1);
  }

 private:
  static constexpr int kShardBits = 6;
  Shard& shard(std::uint64_t address) {
    return shards_[(address >> 4) * 0x9E3779B97F4A7C15u >> (64 - kShardBits)];
  }
  std::array<Shard, std::size_t{1} << kShardBits> shards_;
};

}  // namespace dwell
