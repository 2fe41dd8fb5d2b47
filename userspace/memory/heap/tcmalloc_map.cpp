// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/tcmalloc_map.h"

#include <algorithm>

#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kRootWords = 1 << 17, kLeafWords = 1 << 18;
constexpr std::uint64_t kCoveredByLeaf = kLeafWords * kTcmallocPage;
constexpr std::uint64_t kLastPage = std::uint64_t{1} << (47 - 13);
constexpr std::uint32_t kLargestClass = 256 << 10;
constexpr std::size_t kFewestClasses = 40, kMostClasses = 128;
constexpr int kWordsLookedAt = 256, kFirstGlance = 32, kFewestSpans = 2, kCertainSpans = 100;
constexpr std::size_t kMostRoots = 1 << 14, kSpansAtOnce = 512;

// The sizes of classes as the library's table has them: 0, 8, 16, ... 256 KB.
std::vector<std::uint32_t> classes_at(const std::uint32_t* size, std::size_t count) {
  if (size[0] != 0 || (size[1] != 8 && size[1] != 16)) return {};
  std::vector<std::uint32_t> classes{0};
  for (std::size_t i = 1; i < std::min(count, kMostClasses); ++i) {
    if (size[i] % 8 || size[i] <= classes.back()) return {};
    classes.push_back(size[i]);
    if (size[i] == kLargestClass) return classes.size() >= kFewestClasses ? classes : std::vector<std::uint32_t>();
  }
  return {};
}

class SpanFinder {
 public:
  explicit SpanFinder(const Target& target) : target_(target) {
    for (const Mapping& mapping : target.mappings)
      if (is_anonymous(mapping) || mapping.path == "[heap]") add({mapping.start, mapping.end});
  }

  std::optional<TcmallocSpans> find() {
    std::vector<std::uint64_t> words;
    for (const Range& data : module_data(target_.mappings)) {
      words.resize((data.end - data.start) / 8);
      words.resize(target_.memory.read_some(data.start, words.data(), words.size() * 8) / 8);
      if (words.size() < kRootWords || !find_classes(words)) continue;
      if (!find_root(data, words)) continue;
      read_leaves(words, (best_ - data.start) / 8);
      if (!found_.all.empty()) return std::move(found_);
    }
    return std::nullopt;
  }

 private:
  void add(const Range& range) {
    anonymous_.push_back(range);
    for (std::uint64_t block = range.start / kCoveredByLeaf; block <= (range.end - 1) / kCoveredByLeaf; ++block)
      if (block < kRootWords && (blocks_.empty() || blocks_.back() < block)) blocks_.push_back(block);
  }

  bool find_classes(const std::vector<std::uint64_t>& words) {
    const auto* sizes = reinterpret_cast<const std::uint32_t*>(words.data());
    for (std::size_t i = 0; i + kMostClasses <= words.size() * 2; ++i) {
      found_.class_sizes = classes_at(sizes + i, words.size() * 2 - i);
      if (!found_.class_sizes.empty()) return true;
    }
    return false;
  }

  bool find_root(const Range& data, const std::vector<std::uint64_t>& words) {
    int most = 0;
    for (std::size_t i = 0; i < words.size() && most < kCertainSpans; ++i) {
      if (words[i] == 0 || words[i] % 8 || !in_anonymous(words[i])) continue;
      for (std::uint64_t block : blocks_) {
        if (i < block || i - block + kRootWords > words.size() || ++tries_ > kMostRoots) continue;
        if (int score = score_of_leaf(words[i], block); score > most) most = score, best_ = data.start + 8 * (i - block);
      }
    }
    return most >= kFewestSpans;
  }

  bool in_anonymous(std::uint64_t address) const {
    auto after = std::ranges::upper_bound(anonymous_, address, {}, &Range::start);
    return after != anonymous_.begin() && (after - 1)->contains(address);
  }

  // How many words for pages of this block lead to spans that begin there.
  int score_of_leaf(std::uint64_t leaf, std::uint64_t block) const {
    int good = 0, looked_at = 0;
    std::vector<std::uint64_t> words(512);
    for (const Range& range : anonymous_) {
      std::uint64_t from = std::max(range.start, block * kCoveredByLeaf), to = std::min(range.end, (block + 1) * kCoveredByLeaf);
      for (std::uint64_t at = from & ~(kTcmallocPage - 1); at < to && looked_at < kWordsLookedAt; at += words.size() * kTcmallocPage) {
        std::uint64_t index = at / kTcmallocPage % kLeafWords;
        std::size_t count = std::min<std::uint64_t>(words.size(), kLeafWords - index);
        if (target_.memory.read_some(leaf + 8 * index, words.data(), count * 8) < count * 8) return good;
        for (std::size_t i = 0; i < count && looked_at < kWordsLookedAt; ++i) {
          if (words[i] == 0) continue;
          ++looked_at;
          if (looked_at == kFirstGlance && good == 0) return 0;
          if (words[i] % 8 || !in_anonymous(words[i])) continue;
          auto span = target_.memory.load<TcmallocSpan>(words[i]);
          good += span && span->first == at / kTcmallocPage + i && span->pages > 0 && span->pages < kLastPage;
        }
      }
    }
    return good;
  }

  void read_leaves(const std::vector<std::uint64_t>& words, std::size_t root) {
    std::vector<std::uint64_t> leaf(kLeafWords), records;
    for (std::uint64_t block : blocks_) {
      std::uint64_t at = words[root + block];
      if (at == 0 || !in_anonymous(at)) continue;
      found_.leaves.push_back(at);
      std::size_t got = target_.memory.read_some(at, leaf.data(), kLeafWords * 8) / 8;
      for (std::size_t i = 0; i < got; ++i)
        if (leaf[i] && leaf[i] % 8 == 0 && (records.empty() || records.back() != leaf[i])) records.push_back(leaf[i]);
    }
    read_spans(std::move(records));
  }

  void read_spans(std::vector<std::uint64_t> records) {
    std::ranges::sort(records);
    records.erase(std::ranges::unique(records).begin(), records.end());
    std::vector<MemoryPiece> pieces;
    std::vector<TcmallocSpan> spans(kSpansAtOnce);
    for (std::size_t from = 0; from < records.size(); from += kSpansAtOnce) {
      std::size_t count = std::min(kSpansAtOnce, records.size() - from);
      pieces.clear();
      for (std::size_t i = 0; i < count; ++i)
        pieces.push_back({records[from + i], sizeof(TcmallocSpan), reinterpret_cast<char*>(&spans[i])});
      target_.memory.read_pieces(pieces);
      for (std::size_t i = 0; i < count; ++i)
        if (pieces[i].read && lies_in_memory(spans[i])) found_.all.push_back({records[from + i], spans[i]});
    }
    std::ranges::sort(found_.all, {}, [](const TcmallocSpans::At& at) { return at.span.first; });
    std::uint64_t end = 0;
    std::erase_if(found_.all, [&](const TcmallocSpans::At& at) {
      if (at.span.start() < end) return true;
      end = at.span.start() + at.span.bytes();
      return false;
    });
  }

  // A record may claim any size: what counts is what is mapped.
  bool lies_in_memory(const TcmallocSpan& span) const {
    if (span.pages == 0 || span.first >= kLastPage || span.pages >= kLastPage) return false;
    std::uint64_t at = span.start(), end = at + span.bytes();
    auto range = std::ranges::upper_bound(anonymous_, at, {}, &Range::end);
    for (; range != anonymous_.end() && range->start <= at; ++range) {
      at = range->end;
      if (at >= end) return true;
    }
    return false;
  }

  const Target& target_;
  std::vector<Range> anonymous_;
  std::vector<std::uint64_t> blocks_;  // of 2 GiB, that have anonymous memory
  std::size_t tries_ = 0;
  std::uint64_t best_ = 0;
  TcmallocSpans found_;
};

}  // namespace

const TcmallocSpans::At* TcmallocSpans::around(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(all, address, {}, [](const At& at) { return at.span.start(); });
  if (after == all.begin() || address - (after - 1)->span.start() >= (after - 1)->span.bytes()) return nullptr;
  return &*(after - 1);
}

std::optional<TcmallocSpans> find_tcmalloc_spans(const Target& target) { return SpanFinder(target).find(); }

}  // namespace dwell::memory::heap
