// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/jemalloc_tree.h"

#include <algorithm>

#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kRootBytes = kTreeWords * 8;
constexpr std::uint64_t kRecordAlignment = 128, kLeafAlignment = 64;
constexpr int kLookedAt = 1024;            // words of a leaf
constexpr int kGlance = 32;                // after so many of which none is right, it is no leaf
constexpr int kFewest = 4;                 // of those that lead to the right record
constexpr int kCertain = 200;
constexpr std::size_t kMostTries = 1 << 16, kMostBlocks = 1 << 12;

class RootFinder {
 public:
  explicit RootFinder(const Target& target) : target_(target) {
    for (const Mapping& mapping : target.mappings)
      if (is_anonymous(mapping)) add({mapping.start, mapping.end});
  }

  std::optional<std::uint64_t> find() {
    for (const Range& data : module_data(target_.mappings))
      if (data.end - data.start >= kRootBytes && most_ < kCertain) look_in(data);
    return most_ >= kFewest ? std::optional(best_) : std::nullopt;
  }

 private:
  void add(const Range& range) {
    anonymous_.push_back(range);
    for (std::uint64_t block = range.start / kLeafCovers; block <= (range.end - 1) / kLeafCovers; ++block)
      if (block < kTreeWords && blocks_.size() < kMostBlocks && (blocks_.empty() || blocks_.back() < block))
        blocks_.push_back(block);
  }

  // Other pointers lead to a record or two by chance: the root is what leads to most. It is looked for no further where it is
  // certain: behind a library's data may lie, as one mapping with it, all that the program allocated.
  void look_in(const Range& data) {
    std::vector<std::uint64_t> words((data.end - data.start) / 8);
    words.resize(target_.memory.read_some(data.start, words.data(), words.size() * 8) / 8);
    for (std::size_t i = 0; i < words.size() && most_ < kCertain; ++i) {
      if (words[i] == 0 || words[i] % kLeafAlignment || !in_anonymous(words[i])) continue;
      for (std::uint64_t block : blocks_) {
        std::uint64_t at = data.start + 8 * i;
        if (at < data.start + 8 * block || at - 8 * block + kRootBytes > data.end || ++tries_ > kMostTries) continue;
        int score = score_of_leaf(words[i], block);
        if (score > most_) most_ = score, best_ = at - 8 * block;
      }
    }
  }

  bool in_anonymous(std::uint64_t address) const {
    auto after = std::upper_bound(anonymous_.begin(), anonymous_.end(), address,
                                  [](std::uint64_t a, const Range& range) { return a < range.start; });
    return after != anonymous_.begin() && (after - 1)->contains(address);
  }

  // How many words of a leaf for pages of this block lead to records that hold these pages. Many others are left over from
  // extents that were merged.
  int score_of_leaf(std::uint64_t leaf, std::uint64_t block) const {
    int good = 0, looked_at = 0;
    std::vector<std::uint64_t> words(512);
    for (const Range& range : anonymous_) {
      std::uint64_t from = std::max(range.start, block * kLeafCovers), to = std::min(range.end, (block + 1) * kLeafCovers);
      for (std::uint64_t at = from; at < to && looked_at < kLookedAt; at += words.size() * kPageSize) {
        std::size_t count = std::min<std::uint64_t>(words.size(), (to - at) / kPageSize);
        std::uint64_t index = at / kPageSize % kTreeWords;
        if (!target_.memory.read(leaf + 8 * index, words.data(), count * 8)) return 0;
        for (std::size_t i = 0; i < count && looked_at < kLookedAt; ++i) {
          if (words[i] == 0) continue;
          ++looked_at;
          good += holds(TreeWord{words[i]}, at + i * kPageSize);
          if (looked_at == kGlance && good == 0) return 0;
        }
      }
    }
    return good;
  }

  // Slabs are of small classes, all else of larger ones: most pointers of other programs fail here, before anything is read.
  static bool is_consistent(TreeWord word) {
    constexpr std::uint32_t kSmallestLarge = 30, kLargestSmall = 64, kClasses = 256;
    return word.slab() ? word.size_class() < kLargestSmall : word.size_class() >= kSmallestLarge && word.size_class() < kClasses;
  }

  // The word repeats of the record what size class it is of, and whether it is a slab.
  bool holds(TreeWord word, std::uint64_t page) const {
    if (word.record() % kRecordAlignment || !is_consistent(word) || !in_anonymous(word.record())) return false;
    auto record = target_.memory.load<ExtentRecord>(word.record());
    return record && page >= record->start() && page - record->start() < record->size() &&
           word.size_class() == record->size_class() && word.slab() == record->slab();
  }

  const Target& target_;
  std::vector<Range> anonymous_;
  std::vector<std::uint64_t> blocks_;  // of 1 GiB, that have anonymous memory
  std::size_t tries_ = 0;
  std::uint64_t best_ = 0;
  int most_ = 0;
};

}  // namespace

std::uint64_t jemalloc_class_size(std::uint32_t index) {
  constexpr std::uint32_t kFirstOfFour = 5;  // 80
  if (index == 0) return 8;
  if (index < kFirstOfFour) return 16 * std::uint64_t{index};
  std::uint32_t above = index - kFirstOfFour, shift = above / 4;
  if (shift > 56) return 0;
  return (std::uint64_t{64} << shift) + (above % 4 + 1) * (std::uint64_t{16} << shift);
}

std::optional<std::uint64_t> find_jemalloc_root(const Target& target) { return RootFinder(target).find(); }

}  // namespace dwell::memory::heap
