// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/census.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace dwell::memory::windows {
namespace {

constexpr std::size_t kMostCells = 1 << 16;
constexpr std::uint64_t kFewestOfAKind = 5;  // of fewer, no word is known to be different in each
constexpr unsigned kMostThinned = 16;
constexpr double kPage = 4096;

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ value >> 31) * 0x9e3779b97f4a7c15;
  return value ^ value >> 29;
}

std::uint32_t hash_of(std::uint64_t word) { return word ? static_cast<std::uint32_t>(mixed(word) >> 16) | 1 : 0; }

std::size_t words_in(std::uint64_t usable) { return std::clamp<std::uint64_t>(usable / 8, 1, kWords); }

}  // namespace

bool lies_in(const AddressRanges& ranges, std::uint64_t address) {
  auto behind = std::ranges::upper_bound(ranges, address, {}, &AddressRanges::value_type::first);
  return behind != ranges.begin() && address < std::prev(behind)->second;
}

std::uint32_t Census::cell_of(const CensusBlock& block) {
  auto [at, fresh] = index_.try_emplace({block.usable, block.type}, static_cast<std::uint32_t>(cells_.size()));
  if (!fresh) return at->second;
  if (cells_.size() >= kMostCells) {
    index_.erase(at);
    return kNoCell;
  }
  cells_.emplace_back().usable = block.usable;
  return at->second;
}

bool Census::is_kept(std::uint64_t address) const { return thinned_ == 0 || mixed(address >> 12) >> (64 - thinned_) == 0; }

void Census::add_before(const CensusBlock& block) {
  std::uint32_t cell = cell_of(block);
  if (cell == kNoCell) return;
  ++cells_[cell].before;
  if (!is_kept(block.address)) return;
  Old old{block.address, {}, cell, 0};
  for (std::size_t i = 0; i < words_in(block.usable); ++i) old.hashes[i] = hash_of(block.words[i]);
  old_.push_back(old);
  if (old_.size() <= most_kept_ || thinned_ == kMostThinned) return;
  ++thinned_;
  std::erase_if(old_, [this](const Old& one) { return !is_kept(one.address); });
}

void Census::end_before() {
  std::ranges::sort(old_, {}, &Old::address);
  for (std::size_t word = 0; word < kWords; ++word) find_unique_words(word);
}

// A word of nothing but zeros proves nothing: fresh blocks have it, too.
void Census::find_unique_words(std::size_t word) {
  absl::flat_hash_map<std::uint64_t, std::uint32_t> seen;
  auto key = [word](const Old& old) { return std::uint64_t{old.cell} << 32 | old.hashes[word]; };
  for (const Old& old : old_)
    if (old.hashes[word]) ++seen[key(old)];
  for (Old& old : old_)
    if (old.hashes[word] && cells_[old.cell].before >= kFewestOfAKind && seen[key(old)] == 1) old.unique |= 1u << word;
}

const Census::Old* Census::before_at(std::uint64_t address) {
  if (hint_ < old_.size() && old_[hint_].address > address) hint_ = 0;
  auto at = std::lower_bound(old_.begin() + static_cast<std::ptrdiff_t>(hint_), old_.end(), address,
                             [](const Old& old, std::uint64_t value) { return old.address < value; });
  hint_ = static_cast<std::size_t>(at - old_.begin());
  return at != old_.end() && at->address == address ? &*at : nullptr;
}

std::uint32_t Census::add_now(const CensusBlock& block) {
  std::uint32_t index = cell_of(block);
  if (index == kNoCell) return index;
  Cell& cell = cells_[index];
  ++cell.now;
  if (!is_kept(block.address)) return index;
  const Old* old = before_at(block.address);
  if (!old || old->cell != index) {
    ++cell.came;
    return index;
  }
  bool any_same = false, proved = false;
  for (std::size_t i = 0; i < words_in(block.usable); ++i) {
    bool same = old->hashes[i] == hash_of(block.words[i]);
    any_same |= same;
    proved |= same && (old->unique >> i & 1);
  }
  ++(proved ? cell.kept : any_same ? cell.open : cell.came);
  return index;
}

std::vector<CellCount> Census::counts() const {
  std::vector<CellCount> counts;
  double scale = std::exp2(thinned_);
  for (const Cell& cell : cells_) {
    auto usable = static_cast<double>(cell.usable), came = static_cast<double>(cell.came), open = static_cast<double>(cell.open);
    // Where only some pages are kept, twice the standard error of what they say of all: blocks on a page may come and go together.
    double on_a_page = std::max(1.0, kPage / std::max(usable, 16.0));
    double error = thinned_ ? 2 * scale * std::sqrt(on_a_page * (came + open + 1)) : 0;
    double growth = static_cast<double>(cell.now) - static_cast<double>(cell.before);
    double least = std::max({scale * came - error, growth, 0.0}), most = std::min(scale * (came + open) + error, static_cast<double>(cell.now));
    counts.push_back({cell.usable, usable * std::min(least, most), usable * most, usable * growth});
  }
  return counts;
}

}  // namespace dwell::memory::windows
