// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/free_lists.h"

#include <algorithm>
#include <array>

#include "userspace/memory/heap/glibc_chunk.h"
#include "userspace/memory/heap/glibc_version.h"

namespace dwell::memory::heap {
namespace {

constexpr std::array<CacheLayout, 4> kCacheLayouts{{
    {0x290, 64, 2, false},  // 2.30 to 2.41
    {0x250, 64, 1, false},  // 2.26 to 2.29
    {0x300, 76, 2, true},   // 2.42 and newer
    {0x310, 76, 2, true},
}};
constexpr std::size_t kSmallBins = 64;
constexpr std::uint64_t kFastbinsBeforeBins = 96;
constexpr std::size_t kFastbins = 10;
constexpr std::size_t kMostLinks = 1 << 24;
constexpr int kCacheListTries = 8;
constexpr int kFirstMangled = 32;  // 2.32

bool is_in(const std::vector<Segment>& segments, std::uint64_t address) {
  auto after =
      std::upper_bound(segments.begin(), segments.end(), address,
                       [](std::uint64_t a, const Segment& segment) { return a < segment.range.start; });
  return after != segments.begin() && (after - 1)->range.contains(address);
}

std::optional<Chunk> chunk_of(const ProcessMemory& memory, std::uint64_t block,
                              const std::vector<Segment>& segments) {
  if (block % kChunkAlignment || !is_in(segments, block - kChunkHeader)) return std::nullopt;
  return memory.load<Chunk>(block - kChunkHeader);
}

// The count and the head of a list are written one after the other.
std::size_t count_of(const ProcessMemory& memory, const CacheList& list) {
  if (list.count_bytes == 0) return kMostLinks;
  std::uint16_t count = 0;
  return memory.read(list.count_at, &count, list.count_bytes) ? count : 0;
}

// The heads of its lists, if counters and lists agree for every bin.
std::optional<std::vector<CacheList>> lists_of(const ProcessMemory& memory, std::uint64_t block,
                                               const CacheLayout& layout,
                                               const std::vector<Segment>& segments) {
  std::vector<char> bytes(layout.entries() + layout.bins * 8);
  if (!memory.read(block, bytes.data(), bytes.size())) return std::nullopt;
  std::vector<std::uint64_t> entries(layout.bins);
  std::memcpy(entries.data(), bytes.data() + layout.entries(), layout.bins * 8);
  std::vector<CacheList> heads;
  for (std::size_t bin = 0; bin < layout.bins; ++bin) {
    std::uint16_t count = 0;
    std::memcpy(&count, bytes.data() + bin * layout.count_bytes, layout.count_bytes);
    if (!layout.counts_room && (count == 0) != (entries[bin] == 0)) return std::nullopt;
    if (entries[bin] == 0) continue;
    std::optional<Chunk> chunk = chunk_of(memory, entries[bin], segments);
    if (!chunk) return std::nullopt;
    if (bin < kSmallBins && chunk->size() != kSmallestChunk + bin * kChunkAlignment) return std::nullopt;
    heads.push_back({block + layout.entries() + bin * 8, entries[bin], block + bin * layout.count_bytes,
                     layout.counts_room ? 0 : layout.count_bytes});
  }
  return heads;
}

}  // namespace

Links links_of(std::string_view version) {
  if (version.empty()) return Links::kEither;
  return is_glibc_before(version, kFirstMangled) ? Links::kPlain : Links::kMangled;
}

// The block that a link leads to, plain or mangled, if its chunk has the size of the list. 0: the end of the
// list.
std::optional<std::uint64_t> FreeLists::next_of(const ProcessMemory& memory, std::uint64_t link_at,
                                                std::uint64_t chunk_size, std::uint64_t to_block,
                                                const std::vector<Segment>& segments) const {
  std::optional<std::uint64_t> link = memory.load<std::uint64_t>(link_at);
  if (!link) return std::nullopt;
  for (Links how : {Links::kMangled, Links::kPlain}) {
    if (links_ != Links::kEither && links_ != how) continue;
    std::uint64_t next = how == Links::kPlain ? *link : *link ^ (link_at >> 12);
    if (next == 0) return 0;
    std::uint64_t block = next + to_block;
    std::optional<Chunk> chunk = chunk_of(memory, block, segments);
    if (chunk && chunk->size() == chunk_size) return block;
  }
  return std::nullopt;
}

void FreeLists::add_fastbins(const ProcessMemory& memory, const GlibcLayout& layout, const GlibcArena& arena,
                             const std::vector<Segment>& segments) {
  if (layout.bins < kFastbinsBeforeBins) return;  // 2.43 has none
  std::array<std::uint64_t, kFastbins> heads{};
  if (!memory.read(arena.address + layout.bins - kFastbinsBeforeBins, heads.data(), sizeof heads)) return;
  for (std::size_t bin = 0; bin < kFastbins; ++bin) {
    std::uint64_t size = kSmallestChunk + bin * kChunkAlignment, block = heads[bin] + kChunkHeader;
    std::optional<Chunk> chunk = heads[bin] ? chunk_of(memory, block, segments) : std::nullopt;
    if (!chunk || chunk->size() != size) continue;
    // Fastbins link chunks; thread caches link blocks.
    while (fast_.size() < kMostLinks && fast_.insert(block).second) {
      std::optional<std::uint64_t> next = next_of(memory, block, size, kChunkHeader, segments);
      if (!next || *next == 0) break;
      block = *next;
    }
  }
}

bool FreeLists::add_cache(const ProcessMemory& memory, std::uint64_t block, std::uint64_t usable,
                          const std::vector<Segment>& segments) {
  auto layout = std::find_if(kCacheLayouts.begin(), kCacheLayouts.end(), [&](const CacheLayout& one) {
    return one.chunk_size == usable + kChunkHeader / 2;
  });
  if (layout == kCacheLayouts.end()) return false;
  std::optional<std::vector<CacheList>> heads = lists_of(memory, block, *layout, segments);
  if (!heads || heads->empty()) return false;
  caches_.push_back(block);
  bool has_keys = layout->count_bytes > 1;  // 2.30 and newer surely have
  for (const CacheList& list : *heads) {
    std::optional<Chunk> chunk = chunk_of(memory, list.head, segments);
    // If it was handed out meanwhile, its second word is the program's.
    if (!chunk || memory.load<std::uint64_t>(list.head_at) != list.head) continue;
    own_keys_ += chunk->word1 == block;
    if (has_keys) seen_keys_.push_back(chunk->word1);
    follow(memory, list, segments);
  }
  return true;
}

// All of it counts, or nothing: what was handed out meanwhile may begin with a pointer to a live block of
// that size.
void FreeLists::follow(const ProcessMemory& memory, const CacheList& list,
                       const std::vector<Segment>& segments) {
  for (int tries = 0; tries < kCacheListTries && cached_.size() < kMostLinks; ++tries) {
    std::uint64_t head = memory.load<std::uint64_t>(list.head_at).value_or(0);
    std::size_t count = count_of(memory, list);
    std::vector<std::uint64_t> blocks;
    std::optional<std::uint64_t> at = head;
    while (at && *at && blocks.size() < count) {
      std::optional<Chunk> chunk = chunk_of(memory, *at, segments);
      if (!chunk) break;
      blocks.push_back(*at);
      at = next_of(memory, *at, chunk->size(), 0, segments);
    }
    bool ends = at && *at == 0 && (blocks.size() == count || list.count_bytes == 0);
    if (!ends || memory.load<std::uint64_t>(list.head_at) != head || count_of(memory, list) != count)
      continue;
    cached_.insert(blocks.begin(), blocks.end());
    return;
  }
}

void FreeLists::conclude() {
  if (own_keys_ * 2 > seen_keys_.size() && own_keys_) {
    cache_keys_.insert(caches_.begin(), caches_.end());
    cached_.clear();
    return;
  }
  if (seen_keys_.empty()) return;
  std::sort(seen_keys_.begin(), seen_keys_.end());
  std::uint64_t best = 0;
  std::size_t most = 0;
  for (auto first = seen_keys_.begin(); first != seen_keys_.end();) {
    auto last = std::upper_bound(first, seen_keys_.end(), *first);
    if (static_cast<std::size_t>(last - first) > most)
      most = static_cast<std::size_t>(last - first), best = *first;
    first = last;
  }
  if (most * 2 <= seen_keys_.size() || best == 0) return;
  key_ = best;
  cached_.clear();
}

}  // namespace dwell::memory::heap
