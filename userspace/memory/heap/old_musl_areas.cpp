// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/old_musl_areas.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "userspace/memory/heap/module_data.h"
#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kBinsInAll = 64,
                      kWordsOfBin = 3;  // two locks in one word; the first and the last chunk
constexpr std::size_t kHeadPagesAtOnce = 512;
constexpr int kOldMuslChain = 8;
constexpr std::size_t kFewestUsed = 2, kMostOdd = 4;  // of the bins
constexpr std::uint64_t kMostWaiting = 1 << 20;       // threads, for one bin
constexpr std::size_t kMostGapChunks = kPageSize / kOldMuslUnit;

bool is_old_musl_size(std::uint64_t size) { return size >= kOldMuslUnit && size % kOldMuslUnit == 0; }

// `words` begin with the bit map, which lies at `address`. Some bins may be changing just now.
bool are_old_musl_bins(const std::uint64_t* words, std::uint64_t address) {
  std::size_t used = 0, odd = 0;
  for (std::size_t bin = 0; bin < kBinsInAll; ++bin) {
    const std::uint64_t* one = words + 1 + kWordsOfBin * bin;  // two locks, the first chunk, the last
    std::uint64_t itself = address + 8 * (2 + kWordsOfBin * bin) - kOldMuslHeader;
    if (one[0] >> 32 > kMostWaiting || static_cast<std::uint32_t>(one[0]) > 1) return false;
    auto may_be = [&](std::uint64_t chunk) {
      return chunk == itself || (chunk % 16 == 0 && chunk >> 47 == 0);
    };
    if ((one[1] == 0) != (one[2] == 0) || !may_be(one[1]) || !may_be(one[2])) return false;
    bool empty = one[1] == 0 || (one[1] == itself && one[2] == itself);
    odd += empty == (words[0] >> bin & 1);
    used += one[1] != 0;
  }
  return used >= kFewestUsed && odd <= kMostOdd;
}

class OldMuslFinder {
 public:
  explicit OldMuslFinder(const Target& target) : target_(target), window_(target.memory) {}

  std::optional<OldMuslAreas> find() {
    for (const Range& data : module_data(target_.mappings))
      if (find_bins(data)) return areas();
    return std::nullopt;
  }

 private:
  bool find_bins(const Range& data) {
    constexpr std::size_t kWords = 1 + kWordsOfBin * kBinsInAll;
    std::vector<std::uint64_t> words((data.end - data.start) / 8);
    words.resize(target_.memory.read_some(data.start, words.data(), words.size() * 8) / 8);
    // Some bin is empty: it tells where the first one is, or one of 64 places.
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == 0 || words[i] != words[i + 1] || words[i] != data.start + 8 * i - kOldMuslHeader)
        continue;
      for (std::size_t bin = 0; bin < kBinsInAll && i >= 2 + kWordsOfBin * bin; ++bin) {
        std::size_t first = i - 2 - kWordsOfBin * bin;
        if (first + kWords > words.size()) continue;
        if (are_old_musl_bins(&words[first], data.start + 8 * first)) {
          found_.bins = {data.start + 8 * first, data.start + 8 * (first + kWords)};
          return true;
        }
      }
    }
    return false;
  }

  std::optional<OldMuslAreas> areas() {
    for (const Mapping& mapping : target_.mappings) {
      bool anonymous = is_anonymous(mapping) || mapping.path == "[heap]";
      for (std::uint64_t at = mapping.start; anonymous && at < mapping.end;)
        at = look_at_pages(at, {mapping.start, mapping.end});
    }
    for (const Range& data : module_data(target_.mappings)) add_gaps(data);
    std::ranges::sort(found_.areas, {}, &Range::start);
    sort_apart(found_.areas);
    std::erase_if(found_.mapped, [&](const MappedChunk& chunk) {
      return std::ranges::any_of(found_.areas, [&](const Range& area) {
        return chunk.start() < area.end && area.start < chunk.end();
      });
    });
    if (found_.areas.empty()) return std::nullopt;
    return std::move(found_);
  }

  // What begins at a page: a mapped chunk, or an area. Returns where to go on.
  std::uint64_t look_at_pages(std::uint64_t at, const Range& range) {
    std::array<PageState, kHeadPagesAtOnce> states;
    std::array<OldMuslChunk, kHeadPagesAtOnce> heads;
    std::size_t pages = std::min<std::uint64_t>(kHeadPagesAtOnce, (range.end - at) / kPageSize);
    target_.pages.read(at, {states.data(), pages});
    pieces_.clear();
    for (std::size_t i = 0; i < pages; ++i)
      if (states[i] == PageState::kPresent)
        pieces_.push_back(
            {at + i * kPageSize + kOldMuslHeader, sizeof(OldMuslChunk), reinterpret_cast<char*>(&heads[i])});
    target_.memory.read_pieces(pieces_);
    std::uint64_t behind = at;
    for (const MemoryPiece& piece : pieces_) {
      if (!piece.read || piece.address < behind) continue;
      OldMuslChunk chunk;
      std::memcpy(&chunk, piece.to, sizeof chunk);
      behind = std::max(behind, end_of(piece.address, chunk, range));
    }
    return std::max(behind, at + pages * kPageSize);
  }

  std::uint64_t end_of(std::uint64_t address, const OldMuslChunk& chunk, const Range& range) {
    if (chunk.before == kOldMuslHeader && !chunk.in_use() && chunk.self &&
        (chunk.self + kOldMuslHeader) % kPageSize == 0 && chunk.self <= range.end - address) {
      MappedChunk mapped = aligned_inside({address, kOldMuslHeader, chunk.self, 0}, range.end);
      found_.mapped.push_back(mapped);
      return mapped.end();
    }
    if (!chunk.is_first() || !is_old_musl_size(chunk.size()) ||
        !is_old_musl_chain(target_.memory, address, range.end))
      return 0;
    std::uint64_t end = end_of_area(address, range.end);
    found_.areas.push_back({address, end});
    return end;
  }

  // memalign leaves the first header as it is, and makes another before the aligned block.
  MappedChunk aligned_inside(const MappedChunk& whole, std::uint64_t end) const {
    for (std::uint64_t alignment = 64; alignment < whole.size; alignment *= 2) {
      std::uint64_t block = (whole.block() + alignment - 1) & ~(alignment - 1);
      if (block == whole.block() || block >= whole.end() || block + 16 > end) continue;
      std::uint64_t moved = block - whole.block();
      auto header = target_.memory.load<OldMuslChunk>(block - kOldMuslHeader);
      if (header && header->before == whole.lead + moved && header->self == whole.size - moved)
        return {whole.chunk + moved, whole.lead + moved, whole.size - moved, 0};
    }
    return whole;
  }

  // From chunk to chunk. Where it breaks off, the area goes on up to the end of the mapping, and is walked
  // with more care.
  std::uint64_t end_of_area(std::uint64_t at, std::uint64_t end) {
    window_.drop();
    while (at + kOldMuslHeader <= end) {
      auto chunk = window_.at<OldMuslChunk>(at, end);
      if (!chunk) return end;
      if (chunk->is_end()) return at + kOldMuslHeader;
      if (!is_old_musl_size(chunk->size()) || chunk->size() > end - at) return end;
      at += chunk->size();
    }
    return end;
  }

  // Less than a page before the data of a module, or behind it.
  void add_gaps(const Range& data) {
    for (std::uint64_t page = data.start; page < data.end; page += kPageSize) {
      if (auto chunk = target_.memory.load<OldMuslChunk>(page + kOldMuslHeader); chunk && chunk->is_first())
        add_gap(page + kOldMuslHeader, page + kPageSize);
      auto last = target_.memory.load<OldMuslChunk>(page + kPageSize - kOldMuslHeader);
      if (!last || !last->is_end()) continue;
      std::uint64_t at = page + kPageSize - kOldMuslHeader;
      for (std::size_t i = 0; i < kMostGapChunks && last && !last->is_first(); ++i) {
        std::uint64_t size = last->before & ~std::uint64_t{1};
        if (!is_old_musl_size(size) || size > at - page) break;
        at -= size;
        last = target_.memory.load<OldMuslChunk>(at);
      }
      if (last && last->is_first()) add_gap(at, page + kPageSize);
    }
  }

  void add_gap(std::uint64_t chunk, std::uint64_t end) {
    if (!is_old_musl_chain(target_.memory, chunk, end)) return;
    std::uint64_t behind = end_of_area(chunk, end);
    auto last = target_.memory.load<OldMuslChunk>(behind - kOldMuslHeader);
    if (last && last->is_end()) found_.areas.push_back({chunk, behind});
  }

  const Target& target_;
  OldMuslAreas found_;
  Window window_;
  std::vector<MemoryPiece> pieces_;
};

}  // namespace

bool is_old_musl_chain(const ProcessMemory& memory, std::uint64_t chunk, std::uint64_t end) {
  auto here = memory.load<OldMuslChunk>(chunk);
  for (int links = 0; links < kOldMuslChain && here; ++links) {
    if (here->is_end()) return links > 0;
    if (!is_old_musl_size(here->size()) || here->size() > end - chunk ||
        end - chunk - here->size() < kOldMuslHeader)
      return false;
    chunk += here->size();
    auto next = memory.load<OldMuslChunk>(chunk);
    if (!next || next->before != here->self) return false;
    here = next;
  }
  return here.has_value();
}

std::optional<OldMuslAreas> find_old_musl_areas(const Target& target) { return OldMuslFinder(target).find(); }

}  // namespace dwell::memory::heap
