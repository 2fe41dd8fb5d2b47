// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/jemalloc_heap.h"

#include <algorithm>
#include <bit>

#include "userspace/memory/heap/block_batch.h"
#include "userspace/memory/heap/jemalloc_caches.h"
#include "userspace/memory/heap/jemalloc_tree.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint32_t kActive = 0, kRetained = 3;
constexpr std::size_t kRecordsAtOnce = 512;
constexpr std::uint64_t kBaseBlock = 2 << 20;  // what jemalloc takes for itself at a time
constexpr int kSlabTries = 3;
constexpr std::size_t kMostLeavesWalked = 4096;  // 4 TiB of heap

struct Found {
  std::uint64_t record, page;
};

struct Extent {
  std::uint64_t at;  // of the record
  ExtentRecord record;
};

class JemallocHeap final : public Heap {
 public:
  JemallocHeap(const Target& target, const JemallocRoot& root)
      : target_(target), root_(root.address), layout_(root.layout) {
    read_leaves();
    read_records();
    for (Extent& extent : extents_) settle(extent);
    std::sort(extents_.begin(), extents_.end(),
              [](const Extent& a, const Extent& b) { return a.record.start() < b.record.start(); });
    drop_overlaps();
    find_ranges();
    // A page more than the block needs, so that it may begin anywhere in the first; unless that was turned
    // off.
    for (const Extent& extent : extents_)
      if (!extent.record.slab() && extent.record.address != extent.record.start()) padding_ = kPageSize;
    caches_ = find_jemalloc_caches(target, layout_);
  }

  std::string name() const override { return "jemalloc " + std::string(layout_.version); }
  const std::vector<Arena>& arenas() const override { return arenas_; }
  const std::vector<Range>& ranges() const override { return ranges_; }
  const std::vector<Checksum>& checksums() const override { return checksums_; }
  std::uint64_t alignment() const override { return 8; }
  std::size_t extents() const { return extents_.size(); }

  WalkQuality walk(const Sink& sink) override {
    quality_ = first_quality_;
    free_said_ = free_found_ = 0;
    {
      BlockBatch out(sink);
      auto base = metadata_.begin();
      for (const Extent& extent : extents_) {
        for (; base != metadata_.end() && base->start < extent.record.start(); ++base)
          add_metadata(*base, out);
        walk(extent.record, out);
      }
      for (; base != metadata_.end(); ++base) add_metadata(*base, out);
    }
    checksums_ = {{"free regions in slabs", free_said_, free_found_}};
    return quality_;
  }

 private:
  void read_leaves() {
    std::vector<std::uint64_t> root(kTreeWords), leaf(kTreeWords);
    root.resize(target_.memory.read_some(root_, root.data(), kTreeWords * 8) / 8);
    for (std::size_t i = 0; i < root.size(); ++i) {
      if (root[i] == 0 || root[i] % 8 || !is_mapped(i)) continue;
      if (++leaves_ > kMostLeavesWalked) return;
      base_blocks_.push_back(root[i]);
      std::size_t got = target_.memory.read_some(root[i], leaf.data(), kTreeWords * 8) / 8;
      std::uint64_t last = 0;
      for (std::size_t page = 0; page < got; ++page) {
        std::uint64_t record = TreeWord{leaf[page]}.record();
        if (record && record != last) found_.push_back({record, i * kLeafCovers + page * kPageSize});
        last = record;
      }
    }
  }

  // A hostile root would lead to 2^18 leaves: only those are read that cover something mapped.
  bool is_mapped(std::uint64_t block) const {
    std::uint64_t start = block * kLeafCovers, end = start + kLeafCovers;
    auto mapping =
        std::lower_bound(target_.mappings.begin(), target_.mappings.end(), start,
                         [](const Mapping& one, std::uint64_t address) { return one.end <= address; });
    return mapping != target_.mappings.end() && mapping->start < end;
  }

  // Words are left over from extents that were merged: what counts is the one for the first page of an
  // extent.
  void read_records() {
    std::vector<MemoryPiece> pieces;
    std::vector<ExtentRecord> records(kRecordsAtOnce);
    for (std::size_t from = 0; from < found_.size(); from += kRecordsAtOnce) {
      std::size_t count = std::min(kRecordsAtOnce, found_.size() - from);
      pieces.clear();
      for (std::size_t i = 0; i < count; ++i)
        pieces.push_back(
            {found_[from + i].record, sizeof(ExtentRecord), reinterpret_cast<char*>(&records[i])});
      target_.memory.read_pieces(pieces);
      for (std::size_t i = 0; i < count; ++i) {
        bool counts = pieces[i].read && records[i].state(layout_) != kRetained && lies_in_memory(records[i]);
        if (counts && records[i].start() == found_[from + i].page)
          extents_.push_back({found_[from + i].record, records[i]});
      }
    }
    for (const Extent& extent : extents_) base_blocks_.push_back(extent.at);
    found_ = {};
  }

  // A record may claim any size: what counts is what is mapped.
  bool lies_in_memory(const ExtentRecord& record) const {
    std::uint64_t at = record.start(), end = at + record.size();
    if (end <= at) return false;
    auto mapping =
        std::upper_bound(target_.mappings.begin(), target_.mappings.end(), at,
                         [](std::uint64_t address, const Mapping& one) { return address < one.end; });
    for (; mapping != target_.mappings.end() && mapping->start <= at && mapping->writable; ++mapping) {
      at = mapping->end;
      if (at >= end) return true;
    }
    return false;
  }

  std::size_t regions_of(const ExtentRecord& record) const {
    std::uint64_t size = jemalloc_class_size(record.size_class(layout_));
    return size ? std::min<std::uint64_t>(record.size() / size, 512) : 0;
  }

  std::uint32_t free_in(const ExtentRecord& record) const {
    std::uint32_t sum = 0;
    std::size_t regions = regions_of(record);
    for (std::size_t i = 0; i < regions; ++i) sum += record.free[i / 64] >> (i % 64) & 1;
    return sum;
  }

  bool is_slab(const ExtentRecord& record) const { return record.slab() && record.state(layout_) == kActive; }

  // The count of free regions and their bits are written one after the other.
  void settle(Extent& extent) {
    for (int tries = 0;
         is_slab(extent.record) && free_in(extent.record) != extent.record.regions_free(layout_); ++tries) {
      std::optional<ExtentRecord> again = target_.memory.load<ExtentRecord>(extent.at);
      if (!again || tries == kSlabTries) return;
      ++first_quality_.retries;
      extent.record = *again;
    }
  }

  void drop_overlaps() {
    std::uint64_t end = 0;
    std::erase_if(extents_, [&](const Extent& extent) {
      std::uint64_t start = extent.record.start();
      if (start < end || start + extent.record.size() <= start || start >> 47) return true;
      end = start + extent.record.size();
      return false;
    });
  }

  void find_ranges() {
    std::uint32_t most = 0;
    for (const Extent& extent : extents_) {
      most = std::max(most, extent.record.arena());
      append_range(ranges_, {extent.record.start(), extent.record.start() + extent.record.size()});
    }
    arenas_.resize(extents_.empty() ? 0 : most + 1);
    for (const Extent& extent : extents_) arenas_[extent.record.arena()].system_bytes += extent.record.size();
    add_base_blocks();
  }

  // What jemalloc keeps for itself: the mapped blocks in which its tree and records lie.
  void add_base_blocks() {
    for (std::uint64_t& address : base_blocks_) address &= ~(kBaseBlock - 1);
    std::sort(base_blocks_.begin(), base_blocks_.end());
    base_blocks_.erase(std::unique(base_blocks_.begin(), base_blocks_.end()), base_blocks_.end());
    std::vector<Range> extents = ranges_;
    for (std::uint64_t start : base_blocks_) {
      Range base{start, start + kBaseBlock};
      auto next =
          std::lower_bound(extents.begin(), extents.end(), start,
                           [](const Range& range, std::uint64_t address) { return range.end <= address; });
      if (next != extents.end()) base.end = std::max(base.start, std::min(base.end, next->start));
      if (base.start < base.end) metadata_.push_back(base), ranges_.push_back(base);
    }
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.start < b.start; });
  }

  void add_metadata(const Range& range, BlockBatch& out) const {
    out.add({range.start, range.end - range.start, 0, 0, BlockState::kMetadata});
  }

  void walk(const ExtentRecord& record, BlockBatch& out) {
    if (is_slab(record)) return walk_slab(record, out);
    std::uint64_t start = record.start(), end = start + record.size();
    if (record.state(layout_) != kActive)
      return out.add({start, record.size(), 0, record.arena(), BlockState::kFree});
    std::uint64_t size = std::min(usable_of_large(record), end - record.address);
    // A large block begins somewhere in the first page, so that not all begin in the same cache line.
    if (record.address > start)
      out.add({start, record.address - start, 0, record.arena(), BlockState::kMetadata});
    out.add({record.address, size, 0, record.arena(), state_of(record.address, size)});
    if (record.address + size < end)
      out.add({record.address + size, end - record.address - size, 0, record.arena(), BlockState::kMetadata});
  }

  // Since 5.3.1 blocks of more than 16 KB have as many pages as they need, and the class is that of the next
  // larger size.
  std::uint64_t usable_of_large(const ExtentRecord& record) const {
    std::uint64_t of_class = jemalloc_class_size(record.size_class(layout_)),
                  of_extent = record.size() - std::min(padding_, record.size());
    return record.slab() ? of_class : std::min(of_class, of_extent);
  }

  // Of what is not free in its extent.
  BlockState state_of(std::uint64_t address, std::uint64_t size) const {
    if (caches_.regions.contains(address)) return BlockState::kThreadCache;
    auto stack = std::lower_bound(caches_.stacks.begin(), caches_.stacks.end(), address);
    return stack != caches_.stacks.end() && *stack < address + size ? BlockState::kMetadata
                                                                    : BlockState::kLive;
  }

  void walk_slab(const ExtentRecord& record, BlockBatch& out) {
    std::uint64_t size = jemalloc_class_size(record.size_class(layout_));
    std::size_t regions = regions_of(record);
    free_said_ += record.regions_free(layout_);
    free_found_ += free_in(record);
    for (std::size_t i = 0; i < regions; ++i) {
      std::uint64_t address = record.start() + i * size;
      BlockState state = record.free[i / 64] >> (i % 64) & 1 ? BlockState::kFree : state_of(address, size);
      out.add({address, size, 0, record.arena(), state});
    }
    if (regions * size < record.size())
      out.add({record.start() + regions * size, record.size() - regions * size, 0, record.arena(),
               BlockState::kMetadata});
  }

  Target target_;
  std::uint64_t root_;
  JemallocLayout layout_;
  std::vector<Found> found_;
  std::vector<std::uint64_t> base_blocks_;
  std::vector<Extent> extents_;
  std::vector<Range> metadata_, ranges_;
  std::vector<Arena> arenas_;
  std::vector<Checksum> checksums_;
  JemallocCaches caches_;
  WalkQuality quality_, first_quality_;
  std::size_t leaves_ = 0;
  std::uint64_t padding_ = 0;  // of each extent that is no slab
  std::uint64_t free_said_ = 0, free_found_ = 0;
};

}  // namespace

std::unique_ptr<Heap> open_jemalloc_heap(const Target& target) {
  std::optional<JemallocRoot> root = find_jemalloc_root(target);
  if (!root) return nullptr;
  auto heap = std::make_unique<JemallocHeap>(target, *root);
  if (heap->extents() == 0) return nullptr;
  return heap;
}

}  // namespace dwell::memory::heap
