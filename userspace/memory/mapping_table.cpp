// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/mapping_table.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>

namespace dwell {

void MappingTable::insert(std::uint64_t start, std::uint64_t end, std::uint32_t series, std::uint64_t birth_ns,
                          Tid tid) {
  std::uint32_t mapping;
  if (unused_.empty()) {
    mapping = static_cast<std::uint32_t>(piece_counts_.size());
    piece_counts_.push_back(1);
  } else {
    mapping = unused_.back();
    unused_.pop_back();
    piece_counts_[mapping] = 1;
  }
  pieces_.emplace(start, Piece{end, birth_ns, series, mapping, tid});
}

bool MappingTable::drop_piece(std::uint32_t mapping) {
  if (--piece_counts_[mapping] > 0) return false;
  unused_.push_back(mapping);
  return true;
}

std::vector<MappingTable::Removed> MappingTable::remove(std::uint64_t start, std::uint64_t end) {
  std::vector<Removed> removed;
  auto it = pieces_.lower_bound(start);
  if (it != pieces_.begin() && std::prev(it)->second.end > start) --it;
  while (it != pieces_.end() && it->first < end) {
    std::uint64_t piece_start = it->first;
    Piece piece = it->second;
    std::uint64_t cut_start = std::max(start, piece_start), cut_end = std::min(end, piece.end);
    it = pieces_.erase(it);
    int left = 0;
    if (piece_start < cut_start) {
      Piece before = piece;
      before.end = cut_start;
      pieces_.emplace(piece_start, before);
      ++left;
    }
    if (cut_end < piece.end) {
      pieces_.emplace(cut_end, piece);
      ++left;
    }
    piece_counts_[piece.mapping] += static_cast<std::uint32_t>(left);
    bool last = drop_piece(piece.mapping);
    removed.push_back({piece.series, piece.birth_ns, cut_end - cut_start, last});
    it = pieces_.lower_bound(cut_end);
  }
  return removed;
}

std::optional<std::uint32_t> MappingTable::series_at(std::uint64_t address) const {
  auto it = pieces_.upper_bound(address);
  if (it == pieces_.begin()) return std::nullopt;
  --it;
  if (address >= it->second.end) return std::nullopt;
  return it->second.series;
}

void MappingTable::for_each(
    const std::function<void(std::uint64_t, const Piece&, bool)>& visit) const {
  absl::flat_hash_set<std::uint32_t> cut;
  for (const auto& [start, piece] : pieces_) {
    bool part = piece_counts_[piece.mapping] > 1 && !cut.insert(piece.mapping).second;
    visit(start, piece, part);
  }
}

std::vector<MappingTable::Removed> MappingTable::remove_born_before(std::uint64_t time_ns) {
  std::vector<Removed> removed;
  for (auto it = pieces_.begin(); it != pieces_.end();) {
    const Piece& piece = it->second;
    if (piece.birth_ns >= time_ns) {
      ++it;
      continue;
    }
    bool last = drop_piece(piece.mapping);
    removed.push_back({piece.series, piece.birth_ns, piece.end - it->first, last});
    it = pieces_.erase(it);
  }
  return removed;
}

void MappingTable::replace_series(const std::function<std::uint32_t(std::uint32_t)>& replacement) {
  for (auto& [start, piece] : pieces_) piece.series = replacement(piece.series);
}

void MappingTable::clear() {
  pieces_.clear();
  piece_counts_.clear();
  unused_.clear();
}

}  // namespace dwell
