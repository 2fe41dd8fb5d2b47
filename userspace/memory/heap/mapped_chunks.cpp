// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/mapped_chunks.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kChunkPagesAtOnce = 512;
constexpr std::uint64_t kFlags = 7, kMappedFlag = 2, kTail = 16;

struct Header {
  std::uint64_t lead, size_and_flags;
};

bool may_hold_blocks(const Mapping& mapping) {
  return !mapping.is_file() && mapping.path.empty() && mapping.writable && !mapping.shared;
}

std::optional<MappedChunk> chunk_at(std::uint64_t address, const Header& header, const Range& range) {
  if ((header.size_and_flags & kFlags) != kMappedFlag || header.lead != 0) return std::nullopt;
  std::uint64_t counted = header.size_and_flags & ~kFlags, tail = counted % kPageSize == kPageSize - kTail ? kTail : 0;
  MappedChunk chunk{address, 0, counted + tail, tail};
  if (chunk.size < kPageSize || chunk.size % kPageSize || chunk.size > range.end - address) return std::nullopt;
  return chunk;
}

// memalign puts another header before the aligned block, and leaves the first one as it was.
MappedChunk aligned_inside(const ProcessMemory& memory, const MappedChunk& whole) {
  for (std::uint64_t alignment = 32; alignment < whole.size; alignment *= 2) {
    std::uint64_t block = (whole.block() + alignment - 1) & ~(alignment - 1);
    if (block == whole.block() || block >= whole.end()) continue;
    MappedChunk inside{block - 16, block - 16 - whole.chunk, whole.end() - (block - 16), whole.tail};
    std::optional<Header> header = memory.load<Header>(inside.chunk);
    if (header && header->lead == inside.lead && header->size_and_flags == ((inside.size - inside.tail) | kMappedFlag)) return inside;
  }
  return whole;
}

class Scan {
 public:
  explicit Scan(const Target& target) : target_(target) {}

  // Part of a mapping in which no other part of the heap lies.
  void range(const Range& range) {
    for (std::uint64_t at = range.start; at < range.end;) at = look_at_starts(at, range);
  }
  std::vector<MappedChunk> found;

 private:
  // Returns where to go on.
  std::uint64_t look_at_starts(std::uint64_t at, const Range& range) {
    std::array<PageState, kChunkPagesAtOnce> states;
    std::array<Header, kChunkPagesAtOnce> headers;
    std::size_t pages = std::min<std::uint64_t>(kChunkPagesAtOnce, (range.end - at) / kPageSize);
    target_.pages.read(at, {states.data(), pages});
    pieces_.clear();
    for (std::size_t i = 0; i < pages; ++i)
      if (states[i] == PageState::kPresent)
        pieces_.push_back({at + i * kPageSize, sizeof(Header), reinterpret_cast<char*>(&headers[i])});
    target_.memory.read_pieces(pieces_);
    std::uint64_t next = at + pages * kPageSize;
    for (const MemoryPiece& piece : pieces_) {
      if (!piece.read || (!found.empty() && piece.address < found.back().end())) continue;
      Header header;
      std::memcpy(&header, piece.to, sizeof header);
      if (std::optional<MappedChunk> chunk = chunk_at(piece.address, header, range))
        found.push_back(aligned_inside(target_.memory, *chunk));
    }
    return found.empty() ? next : std::max(next, found.back().end());
  }

  const Target& target_;
  std::vector<MemoryPiece> pieces_;
};

}  // namespace

std::vector<MappedChunk> find_mapped_chunks(const Target& target, const std::vector<Range>& taken) {
  Scan scan(target);
  std::size_t next = 0;
  for (const Mapping& mapping : target.mappings) {
    if (!may_hold_blocks(mapping)) continue;
    std::uint64_t at = mapping.start;
    while (next < taken.size() && taken[next].end <= at) ++next;
    for (std::size_t i = next; i < taken.size() && taken[i].start < mapping.end; ++i) {
      if (at < taken[i].start) scan.range({at, taken[i].start});
      at = std::max(at, taken[i].end);
    }
    if (at < mapping.end) scan.range({at, mapping.end});
  }
  return std::move(scan.found);
}

}  // namespace dwell::memory::heap
