// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/glibc_heap.h"

#include <algorithm>

#include "userspace/memory/heap/chunk_walk.h"
#include "userspace/memory/heap/glibc_version.h"
#include "userspace/memory/heap/mapped_chunks.h"

namespace dwell::memory::heap {
namespace {

constexpr int kFirstChunks = 64;  // of a segment: a thread's cache is among the first that it allocates

class GlibcHeap final : public Heap {
 public:
  GlibcHeap(const Target& target, GlibcArenas arenas)
      : target_(target),
        found_(std::move(arenas)),
        parameters_(find_glibc_parameters(target.memory, found_.data, brk_range(target.mappings))),
        segments_(find_glibc_segments(target, found_, parameters_)) {
    for (const Mapping& mapping : target.mappings)
      if (mapping.start == found_.data.start) version_ = glibc_version(target.memory.pid(), mapping);
    lists_ = FreeLists(links_of(version_));
    for (const GlibcArena& arena : found_.arenas) arenas_.push_back({arena.address, arena.system_mem, arena.main});
    for (const Segment& segment : segments_.all) ranges_.push_back(segment.range);
    if (!parameters_ || parameters_->mapped_chunks) mapped_ = find_mapped_chunks(target_, ranges_);
    for (const MappedChunk& chunk : mapped_) ranges_.push_back({chunk.start(), chunk.end()});
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
    find_caches();
  }

  std::string name() const override { return version_.empty() ? "glibc" : "glibc " + version_; }
  const std::vector<Arena>& arenas() const override { return arenas_; }
  const std::vector<Range>& ranges() const override { return ranges_; }
  const std::vector<Checksum>& checksums() const override { return checksums_; }
  bool has_trim() const override { return true; }
  std::vector<Range> own_data() const override {
    std::uint64_t main = found_.arenas[0].address;
    return {{main, main + found_.layout.arena_size()}};
  }

  WalkQuality walk(const Sink& sink) override {
    for (const GlibcArena& arena : found_.arenas)
      lists_.add_fastbins(target_.memory, found_.layout, arena, segments_.all);
    ChunkWalk walk(target_.memory, found_, lists_);
    {
      BlockBatch out(sink);
      auto mapped = mapped_.begin();
      for (const Segment& segment : segments_.all) {
        for (; mapped != mapped_.end() && mapped->start() < segment.range.start; ++mapped) add(*mapped, out);
        walk.walk(segment, out);
      }
      for (; mapped != mapped_.end(); ++mapped) add(*mapped, out);
    }
    check();
    return walk.quality();
  }

 private:
  static void add(const MappedChunk& chunk, BlockBatch& out) {
    if (chunk.lead) out.add({chunk.start(), chunk.lead, 0, 0, BlockState::kMetadata});
    out.add({chunk.block(), chunk.usable(), kChunkHeader, 0, BlockState::kMapped});
  }

  void find_caches() {
    for (const Segment& segment : segments_.all) look_at_first_chunks(segment);
    lists_.conclude();
    if (lists_.knows_key()) return;
    // No key that tells for all: every cache has to be seen.
    ChunkWalk walk(target_.memory, found_, lists_);
    auto look = [&](std::span<const Block> blocks) {
      for (const Block& block : blocks)
        if (is_live(block.state)) lists_.add_cache(target_.memory, block.address, block.usable, segments_.all);
    };
    const Sink sink = look;
    for (const Segment& segment : segments_.all) {
      BlockBatch out(sink);
      walk.walk(segment, out);
    }
    lists_.conclude();
  }

  void look_at_first_chunks(const Segment& segment) {
    std::uint64_t at = segment.first;
    for (int i = 0; i < kFirstChunks && at < segment.range.end; ++i) {
      std::optional<Chunk> chunk = target_.memory.load<Chunk>(at);
      if (!chunk || !is_plausible(*chunk, at, segment.range.end, segment.main)) return;
      lists_.add_cache(target_.memory, at + kChunkHeader, chunk->size() - kChunkHeader / 2, segments_.all);
      at += chunk->size();
    }
  }

  void check() {
    checksums_.clear();
    if (!parameters_) return;
    std::uint64_t bytes = 0;
    for (const MappedChunk& chunk : mapped_) bytes += chunk.end() - chunk.start();
    checksums_.push_back({"mapped chunks", parameters_->mapped_chunks, mapped_.size()});
    checksums_.push_back({"bytes in mapped chunks", parameters_->mapped_bytes, bytes});
  }

  Target target_;
  std::string version_;
  GlibcArenas found_;
  std::optional<GlibcParameters> parameters_;
  Segments segments_;
  FreeLists lists_;
  std::vector<MappedChunk> mapped_;
  std::vector<Arena> arenas_;
  std::vector<Range> ranges_;
  std::vector<Checksum> checksums_;
};

}  // namespace

std::unique_ptr<Heap> open_glibc_heap(const Target& target) {
  std::optional<GlibcArenas> arenas = find_glibc_arenas(target);
  if (!arenas) return nullptr;
  return std::make_unique<GlibcHeap>(target, std::move(*arenas));
}

}  // namespace dwell::memory::heap
