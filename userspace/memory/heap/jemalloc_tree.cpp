// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/jemalloc_tree.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>

#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kRootBytes = kTreeWords * 8, kLeafBytes = kTreeWords * 8;
constexpr std::uint64_t kRecordAlignment = 64, kLeafAlignment = 64;
constexpr int kLookedAt = 1024;  // words of a leaf
constexpr int kGlance = 64;      // after so many of which none is right, it is no leaf
constexpr int kFewest = 4;       // of those that lead to the right record
constexpr int kCertain = 200;
constexpr std::size_t kMostLeaves = 1 << 16, kWordsAtOnce = 512;
constexpr std::uint64_t kMostRead = std::uint64_t{256} << 20;

class RootFinder {
 public:
  explicit RootFinder(const Target& target) : target_(target) {
    for (const Mapping& mapping : target.mappings)
      if (is_anonymous(mapping)) append_range(anonymous_, {mapping.start, mapping.end});
  }

  std::optional<JemallocRoot> find() {
    for (const Range& data : module_data(target_.mappings))
      if (data.end - data.start >= kRootBytes && most_ < kCertain) look_in(data);
    return most_ >= kFewest ? std::optional(best_) : std::nullopt;
  }

 private:
  struct Leaf {
    std::array<int, kJemallocLayouts.size()>
        good{};               // by layout: words that lead to records of the very pages that they are for
    std::uint64_t block = 0;  // of kLeafCovers, whose pages these are
    std::size_t best() const {
      return static_cast<std::size_t>(std::ranges::max_element(good) - good.begin());
    }
    int most() const { return good[best()]; }
  };

  // Other pointers lead to a record or two by chance: the root is what leads to most. It is looked for no
  // further where it is certain: behind a library's data may lie, as one mapping with it, all that the
  // program allocated.
  void look_in(const Range& data) {
    std::vector<std::uint64_t> words((data.end - data.start) / 8);
    words.resize(target_.memory.read_some(data.start, words.data(), words.size() * 8) / 8);
    for (std::size_t i = 0; i < words.size() && most_ < kCertain; ++i) {
      if (!may_be_leaf(words[i])) continue;
      const Leaf& leaf = leaf_at(words[i]);
      std::uint64_t at = data.start + 8 * i;
      if (leaf.most() <= most_ || at < data.start + 8 * leaf.block ||
          at - 8 * leaf.block + kRootBytes > data.end)
        continue;
      most_ = leaf.most(), best_ = {at - 8 * leaf.block, kJemallocLayouts[leaf.best()]};
    }
  }

  // A leaf lies in one piece of anonymous memory.
  bool may_be_leaf(std::uint64_t address) const {
    if (address == 0 || address % kLeafAlignment) return false;
    const Range* range = anonymous_at(address);
    return range && range->end - address >= kLeafBytes;
  }

  const Range* anonymous_at(std::uint64_t address) const {
    auto after = std::ranges::upper_bound(anonymous_, address, {}, &Range::start);
    return after != anonymous_.begin() && (after - 1)->contains(address) ? &*(after - 1) : nullptr;
  }

  const Leaf& leaf_at(std::uint64_t address) {
    static constexpr Leaf kNone;
    if (leaves_.size() >= kMostLeaves || read_ >= kMostRead) return kNone;
    auto [leaf, is_new] = leaves_.try_emplace(address);
    if (is_new) leaf->second = read_leaf(address);
    return leaf->second;
  }

  // Reads those of its pages that are in memory, until it is clear. Many words are left over from extents
  // that were merged.
  Leaf read_leaf(std::uint64_t address) {
    std::vector<PageState> pages(kLeafBytes / kPageSize + 1);
    target_.pages.read(address & ~(kPageSize - 1), pages);
    Leaf leaf;
    int looked_at = 0;
    std::vector<std::uint64_t> words(kWordsAtOnce);
    for (std::size_t first = 0; first < kTreeWords && looked_at < kLookedAt; first += kWordsAtOnce) {
      std::uint64_t from = address + 8 * first;
      std::size_t page = (from - (address & ~(kPageSize - 1))) / kPageSize;
      if (pages[page] != PageState::kPresent && pages[page + 1] != PageState::kPresent) continue;
      read_ += kWordsAtOnce * 8;
      if (target_.memory.read_some(from, words.data(), words.size() * 8) < words.size() * 8) return {};
      for (std::size_t i = 0; i < kWordsAtOnce && looked_at < kLookedAt; ++i) {
        if (words[i] == 0) continue;
        add_word(leaf, TreeWord{words[i]}, first + i);
        if (++looked_at == kGlance && leaf.most() == 0) return {};
      }
    }
    return leaf;
  }

  // The record says which pages it holds: with those the word's place in the leaf must agree, and all words
  // on the block.
  void add_word(Leaf& leaf, TreeWord word, std::uint64_t index) const {
    if (word.record() % kRecordAlignment || !is_consistent(word) || !anonymous_at(word.record())) return;
    auto record = target_.memory.load<ExtentRecord>(word.record());
    if (!record || word.slab() != record->slab()) return;
    std::uint64_t block = record->start() / kLeafCovers, page = block * kLeafCovers + index * kPageSize;
    if (page < record->start()) page += kLeafCovers, ++block;
    bool holds = page >= record->start() && page - record->start() < record->size() && anonymous_at(page);
    if (!holds || block >= kTreeWords || (leaf.most() && block != leaf.block)) return;
    for (std::size_t i = 0; i < kJemallocLayouts.size(); ++i) {
      if (word.size_class() != record->size_class(kJemallocLayouts[i])) continue;
      leaf.block = block;
      ++leaf.good[i];
    }
  }

  // Slabs are of small classes, all else of larger ones: most pointers of other programs fail here, before
  // anything is read.
  static bool is_consistent(TreeWord word) {
    constexpr std::uint32_t kSmallestLarge = 30, kLargestSmall = 64, kClasses = 256;
    return word.slab() ? word.size_class() < kLargestSmall
                       : word.size_class() >= kSmallestLarge && word.size_class() < kClasses;
  }

  const Target& target_;
  std::vector<Range> anonymous_;
  absl::flat_hash_map<std::uint64_t, Leaf> leaves_;
  std::uint64_t read_ = 0;  // bytes
  JemallocRoot best_{};
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

std::optional<JemallocRoot> find_jemalloc_root(const Target& target) { return RootFinder(target).find(); }

}  // namespace dwell::memory::heap
