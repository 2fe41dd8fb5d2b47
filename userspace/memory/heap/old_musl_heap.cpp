// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/old_musl_heap.h"

#include <algorithm>

#include "userspace/memory/heap/block_batch.h"
#include "userspace/memory/heap/old_musl_areas.h"
#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {
namespace {

constexpr int kOldMuslTries = 8;
constexpr std::uint64_t kMostBrkGrowth = std::uint64_t{1} << 30;  // of brk since the area was found

class OldMuslHeap final : public Heap {
 public:
  OldMuslHeap(const Target& target, OldMuslAreas found)
      : target_(target), found_(std::move(found)), window_(target.memory) {
    std::uint64_t bytes = 0;
    for (const Range& area : found_.areas) ranges_.push_back(area), bytes += area.end - area.start;
    for (const MappedChunk& chunk : found_.mapped) ranges_.push_back({chunk.start(), chunk.end()});
    std::ranges::sort(ranges_, {}, &Range::start);
    arenas_ = {{0, bytes, true}};
  }

  std::string name() const override { return "musl before 1.2.1"; }
  const std::vector<Arena>& arenas() const override { return arenas_; }
  const std::vector<Range>& ranges() const override { return ranges_; }
  const std::vector<Checksum>& checksums() const override { return checksums_; }
  std::vector<Range> own_data() const override { return {found_.bins}; }

  WalkQuality walk(const Sink& sink) override {
    quality_ = {};
    BlockBatch out(sink);
    auto mapped = found_.mapped.begin();
    for (const Range& area : found_.areas) {
      for (; mapped != found_.mapped.end() && mapped->start() < area.start; ++mapped) add(*mapped, out);
      walk(area, out);
    }
    for (; mapped != found_.mapped.end(); ++mapped) add(*mapped, out);
    return quality_;
  }

 private:
  static void add(const MappedChunk& chunk, BlockBatch& out) {
    out.add(chunk.start(), chunk.chunk, BlockState::kMetadata);
    out.add({chunk.block(), chunk.usable(), kOldMuslHeader, 0, BlockState::kMapped});
  }

  void walk(const Range& area, BlockBatch& out) {
    window_.drop();
    int tries = 0;
    for (std::uint64_t at = area.start; at < area.end;) {
      auto chunk = window_.at<OldMuslChunk>(at, area.end);
      if ((chunk && chunk->is_end()) || area.end - at <= kOldMuslHeader)
        return out.add(at, area.end, BlockState::kMetadata);
      std::uint64_t size = chunk ? chunk->size() : 0;
      bool fits = size >= kOldMuslUnit && size % kOldMuslUnit == 0 && size <= area.end - at + kMostBrkGrowth;
      std::uint64_t behind = at + size + sizeof(OldMuslChunk);
      auto next = fits ? window_.at<OldMuslChunk>(at + size, std::max(area.end, behind)) : std::nullopt;
      if (!next || next->before != chunk->self) {  // it is being cut or merged just now
        ++quality_.retries;
        window_.drop();
        if (++tries < kOldMuslTries) continue;
        at = resync(at, area, out);
        tries = 0;
        continue;
      }
      tries = 0;
      out.add({at + kOldMuslHeader, size - kOldMuslHeader, kOldMuslHeader, 0,
               chunk->in_use() ? BlockState::kLive : BlockState::kFree});
      at += size;
    }
  }

  // Where the next chain begins; what lies before it is unknown.
  std::uint64_t resync(std::uint64_t from, const Range& area, BlockBatch& out) {
    ++quality_.resyncs;
    std::uint64_t at = from + kOldMuslUnit;
    for (; at < area.end; at += kOldMuslUnit) {
      auto chunk = window_.at<OldMuslChunk>(at, area.end);  // most places are told by these alone
      if (chunk && chunk->size() >= kOldMuslUnit && chunk->size() % kOldMuslUnit == 0 &&
          is_old_musl_chain(target_.memory, at, area.end))
        break;
    }
    at = std::min(at, area.end);
    quality_.lost_bytes += at - from;
    out.add(from, at, BlockState::kUnknown);
    return at;
  }

  Target target_;
  OldMuslAreas found_;
  Window window_;
  std::vector<Arena> arenas_;
  std::vector<Range> ranges_;
  std::vector<Checksum> checksums_;
  WalkQuality quality_;
};

}  // namespace

std::unique_ptr<Heap> open_old_musl_heap(const Target& target) {
  std::optional<OldMuslAreas> found = find_old_musl_areas(target);
  if (!found) return nullptr;
  return std::make_unique<OldMuslHeap>(target, std::move(*found));
}

}  // namespace dwell::memory::heap
