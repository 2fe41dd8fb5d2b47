// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/jemalloc_caches.h"

#include <algorithm>
#include <cstring>

#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kFewestBins = 36;            // one after the other: no other data looks like that
constexpr int kMostInBin = 1 << 12;
// Thread-local storage ends a stack. Behind the stack the kernel may have merged other memory into the same mapping.
constexpr std::uint64_t kSearchedAtEnd = 256 << 10, kSearchedBehindGuard = std::uint64_t{64} << 20;
constexpr std::uint64_t kSearchedWhole = 2 << 20;  // mappings up to this size
constexpr std::uint64_t kCachesPiece = 1 << 20, kCachesOverlap = 8 << 10;  // a cache lies in one piece
constexpr std::size_t kMostRegions = 1 << 22;

class CacheFinder {
 public:
  explicit CacheFinder(const Target& target) : target_(target) {}

  JemallocCaches find() {
    for (std::size_t i = 0; i < target_.mappings.size(); ++i) {
      const Mapping& mapping = target_.mappings[i];
      if (mapping.is_file() || !mapping.path.empty() || !mapping.writable || mapping.shared) continue;
      std::uint64_t size = mapping.end - mapping.start;
      bool behind_guard = i > 0 && target_.mappings[i - 1].end == mapping.start && !target_.mappings[i - 1].readable;
      if (size > kSearchedWhole && behind_guard)
        look_through({mapping.start, std::min(mapping.end, mapping.start + kSearchedBehindGuard)});
      look_through({size <= kSearchedWhole ? mapping.start : mapping.end - kSearchedAtEnd, mapping.end});
    }
    std::sort(found_.stacks.begin(), found_.stacks.end());
    return std::move(found_);
  }

 private:
  void look_through(const Range& range) {
    std::vector<PageState> states((kCachesPiece + kCachesOverlap) / kPageSize);
    for (std::uint64_t at = range.start; at < range.end; at += kCachesPiece) {
      Range piece{at, std::min(range.end, at + kCachesPiece + kCachesOverlap)};
      std::span<PageState> pages(states.data(), (piece.end - piece.start) / kPageSize);
      target_.pages.read(piece.start, pages);
      if (std::count(pages.begin(), pages.end(), PageState::kPresent)) look_in(piece);
    }
  }

  void look_in(const Range& range) {
    words_.resize((range.end - range.start) / 8);
    words_.resize(target_.memory.read_some(range.start, words_.data(), words_.size() * 8) / 8);
    for (std::size_t i = 0; i + 3 * kFewestBins <= words_.size();) {
      std::size_t bins = bins_from(i);
      if (bins < kFewestBins) {
        ++i;
        continue;
      }
      ++found_.caches;
      found_.places.push_back({range.start + 8 * i, bins});
      for (std::size_t bin = 0; bin < bins; ++bin) add(bin_at(i + 3 * bin));
      i += 3 * bins;
    }
  }

  CacheBin bin_at(std::size_t word) const {
    CacheBin bin;
    std::memcpy(&bin, &words_[word], sizeof bin);
    return bin;
  }

  // The stacks of a cache's bins lie one behind the other: each begins where the one before ends. An array of pointers to blocks of one
  // size passes for bins else.
  std::size_t bins_from(std::size_t word) const {
    std::size_t bins = 0;
    CacheBin last{};
    for (; word + 3 * bins + 3 <= words_.size(); ++bins) {
      CacheBin bin = bin_at(word + 3 * bins);
      if (bin.used() < 0 || bin.head <= last.head || (bins && bin.full != last.empty)) return bins;
      last = bin;
    }
    return bins;
  }

  void add(const CacheBin& bin) {
    found_.stacks.push_back(bin.head);
    std::vector<std::uint64_t> regions(static_cast<std::size_t>(bin.used()));
    if (regions.empty() || found_.regions.size() > kMostRegions) return;
    if (target_.memory.read(bin.head, regions.data(), regions.size() * 8))
      found_.regions.insert(regions.begin(), regions.end());
  }

  const Target& target_;
  std::vector<std::uint64_t> words_;
  JemallocCaches found_;
};

}  // namespace

int CacheBin::used() const {
  auto from_head = [this](std::uint16_t low) { return static_cast<std::uint16_t>(low - static_cast<std::uint16_t>(head)); };
  if (head < kPageSize || head % 8 || head >> 47 || unused != 0) return -1;
  std::uint16_t used = from_head(empty), room = static_cast<std::uint16_t>(empty - full);
  if (used % 8 || room % 8 || used > room || room / 8 > kMostInBin || room == 0 || low_water % 8) return -1;
  return used / 8;
}

JemallocCaches find_jemalloc_caches(const Target& target) { return CacheFinder(target).find(); }

}  // namespace dwell::memory::heap
