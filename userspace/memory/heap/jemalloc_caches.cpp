// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/jemalloc_caches.h"

#include <algorithm>
#include <cstring>

#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kFewestBins = 36;  // one after the other: no other data looks like that
constexpr std::uint64_t kMostInBin = 1 << 12;
// Before 5.3, words between the records of the 36 small classes and those of the large ones: 8 in 5.0, 12
// in 5.1, 15 in 5.2.
constexpr std::size_t kFewestBetween = 8, kMostBetween = 16;
// Thread-local storage ends a stack. Behind the stack the kernel may have merged other memory into the same
// mapping.
constexpr std::uint64_t kSearchedAtEnd = 256 << 10, kSearchedBehindGuard = std::uint64_t{64} << 20;
constexpr std::uint64_t kSearchedWhole = 2 << 20;                          // mappings up to this size
constexpr std::uint64_t kCachesPiece = 1 << 20, kCachesOverlap = 8 << 10;  // a cache lies in one piece
constexpr std::size_t kMostRegions = 1 << 22;

// What of a stack tells whether it lies behind another.
struct BinPlace {
  std::uint64_t at = 0;  // since 5.3 the first region, before that the end of the stack
  std::uint16_t full = 0, empty = 0;
  int used = -1;
};

class CacheFinder {
 public:
  CacheFinder(const Target& target, const JemallocLayout& layout) : target_(target), layout_(layout) {}

  JemallocCaches find() {
    for (std::size_t i = 0; i < target_.mappings.size(); ++i) {
      const Mapping& mapping = target_.mappings[i];
      if (mapping.is_file() || !mapping.path.empty() || !mapping.writable || mapping.shared) continue;
      std::uint64_t size = mapping.end - mapping.start;
      bool behind_guard =
          i > 0 && target_.mappings[i - 1].end == mapping.start && !target_.mappings[i - 1].readable;
      std::uint64_t from = size <= kSearchedWhole ? mapping.start : mapping.end - kSearchedAtEnd;
      if (size > kSearchedWhole && behind_guard) {
        std::uint64_t until = std::min(mapping.end, mapping.start + kSearchedBehindGuard);
        look_through({mapping.start, until});
        from = std::max(from, until);
      }
      look_through({from, mapping.end});
    }
    std::sort(found_.stacks.begin(), found_.stacks.end());
    return std::move(found_);
  }

 private:
  void look_through(const Range& range) {
    std::vector<PageState> states((kCachesPiece + kCachesOverlap) / kPageSize);
    for (std::uint64_t at = range.start; at < range.end; at += kCachesPiece) {
      Range piece{at, std::min(range.end, at + kCachesPiece + kCachesOverlap)};
      std::uint64_t last = piece.end == range.end
                               ? piece.end
                               : at + kCachesPiece;  // what begins behind it lies whole in the next piece
      std::span<PageState> pages(states.data(), (piece.end - piece.start) / kPageSize);
      target_.pages.read(piece.start, pages);
      if (std::count(pages.begin(), pages.end(), PageState::kPresent)) look_in(piece, last);
    }
  }

  // Caches that begin before `last`, and behind those found already.
  void look_in(const Range& range, std::uint64_t last) {
    words_.resize((range.end - range.start) / 8);
    words_.resize(target_.memory.read_some(range.start, words_.data(), words_.size() * 8) / 8);
    std::size_t ends = std::min<std::size_t>(words_.size(), (last - range.start) / 8 + 3 * kFewestBins - 1);
    for (std::size_t i = range.start < found_until_ ? (found_until_ - range.start) / 8 : 0;
         i + 3 * kFewestBins <= ends;) {
      std::size_t bins = bins_from(i);
      if (bins < kFewestBins) {
        ++i;
        continue;
      }
      ++found_.caches;
      add(range, i, bins);
      i += 3 * bins;
      if (layout_.counts_cached) i = add_large(range, i);
      found_until_ = range.start + 8 * i;
    }
  }

  // Where to go on behind the large classes.
  std::size_t add_large(const Range& range, std::size_t behind_small) {
    BinPlace last = place_at(behind_small - 3);
    for (std::size_t at = behind_small + kFewestBetween; at <= behind_small + kMostBetween; ++at) {
      std::size_t bins = bins_from(at, last);
      if (bins == 0) continue;
      add(range, at, bins);
      return at + 3 * bins;
    }
    return behind_small;
  }

  CacheBin bin_at(std::size_t word) const {
    CacheBin bin{};
    if (word + bin.words.size() <= words_.size())
      std::copy_n(&words_[word], bin.words.size(), bin.words.begin());
    return bin;
  }

  BinPlace place_at(std::size_t word) const {
    CacheBin bin = bin_at(word);
    CacheStack stack = bin.stack(layout_);
    if (layout_.counts_cached) return {bin.words[2], 0, 0, stack.used};
    return {stack.at, static_cast<std::uint16_t>(bin.words[2] >> 16),
            static_cast<std::uint16_t>(bin.words[2] >> 32), stack.used};
  }

  // The stacks of a cache's bins lie one behind the other: each begins where the one before ends. An array of
  // pointers to blocks of one size passes for bins else.
  bool follows(const BinPlace& one, const BinPlace& last) const {
    if (one.used < 0 || one.at <= last.at) return false;
    if (!layout_.counts_cached) return last.used < 0 || one.full == last.empty;
    std::uint64_t room = (one.at - last.at) / 8;
    return last.used < 0 || (room <= kMostInBin && static_cast<std::uint64_t>(one.used) <= room);
  }

  std::size_t bins_from(std::size_t word, BinPlace last = {}) const {
    std::size_t bins = 0;
    for (; word + 3 * bins + 3 <= words_.size(); ++bins) {
      BinPlace one = place_at(word + 3 * bins);
      if (!follows(one, last)) return bins;
      last = one;
    }
    return bins;
  }

  void add(const Range& range, std::size_t word, std::size_t bins) {
    found_.places.push_back({range.start + 8 * word, bins});
    for (std::size_t bin = 0; bin < bins; ++bin) add(bin_at(word + 3 * bin));
  }

  void add(const CacheBin& bin) {
    CacheStack stack = bin.stack(layout_);
    found_.stacks.push_back(layout_.counts_cached ? bin.words[2] - 8 : stack.at);
    std::vector<std::uint64_t> regions(static_cast<std::size_t>(stack.used));
    if (regions.empty() || found_.regions.size() > kMostRegions) return;
    if (target_.memory.read(stack.at, regions.data(), regions.size() * 8))
      found_.regions.insert(regions.begin(), regions.end());
  }

  const Target& target_;
  JemallocLayout layout_;
  std::vector<std::uint64_t> words_;
  std::uint64_t found_until_ = 0;  // where the last cache ends
  JemallocCaches found_;
};

}  // namespace

CacheStack CacheBin::stack(const JemallocLayout& layout) const {
  std::uint64_t place = words[layout.counts_cached ? 2 : 0];
  if (place < kPageSize || place % 8 || place >> 47) return {};
  if (layout.counts_cached) {  // both counts are -1 for a moment where nothing is left
    auto low_water = static_cast<std::int32_t>(words[0]), cached = static_cast<std::int32_t>(words[0] >> 32);
    if (low_water < -1 || cached < -1 || low_water > static_cast<int>(kMostInBin) ||
        cached > static_cast<int>(kMostInBin))
      return {};
    cached = std::max(cached, 0);
    return {place - 8 * static_cast<std::uint64_t>(cached), cached};
  }
  auto low_water = static_cast<std::uint16_t>(words[2]), full = static_cast<std::uint16_t>(words[2] >> 16),
       empty = static_cast<std::uint16_t>(words[2] >> 32);
  std::uint16_t used = static_cast<std::uint16_t>(empty - static_cast<std::uint16_t>(place)),
                room = static_cast<std::uint16_t>(empty - full);
  std::uint64_t most = words[2] >> 48;  // since 5.3.1 how many fit, nothing before
  if (most && most != room / 8u) return {};
  if (used % 8 || room % 8 || used > room || room / 8 > kMostInBin || room == 0 || low_water % 8) return {};
  return {place, used / 8};
}

JemallocCaches find_jemalloc_caches(const Target& target, const JemallocLayout& layout) {
  return CacheFinder(target, layout).find();
}

}  // namespace dwell::memory::heap
