// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/musl_heap.h"

#include <algorithm>

#include "userspace/memory/heap/block_batch.h"
#include "userspace/memory/heap/module_data.h"
#include "userspace/memory/heap/musl_context.h"
#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kSlotHeader = 4;  // before each block, and kept free at its end for the next one
constexpr int kMostNested = 8;

class MuslReader final : public Heap {
 public:
  MuslReader(const Target& target, MuslHeap found) : target_(target), found_(std::move(found)), window_(target.memory) {
    drop_overlaps();
    for (std::uint64_t area : found_.areas) ranges_.push_back({area, area + kPageSize});
    for (const MuslMeta& group : found_.groups)
      if (ranges_.empty() || !inside(group)) ranges_.push_back({group.group, group.end()});
    std::ranges::sort(ranges_, {}, &Range::start);
    std::uint64_t bytes = 0;
    for (const Range& range : ranges_) bytes += range.end - range.start;
    arenas_ = {{0, bytes, true}};
  }

  std::string name() const override { return "musl mallocng"; }
  const std::vector<Arena>& arenas() const override { return arenas_; }
  const std::vector<Range>& ranges() const override { return ranges_; }
  const std::vector<Checksum>& checksums() const override { return checksums_; }
  bool empty() const { return found_.groups.empty(); }

  WalkQuality walk(const Sink& sink) override {
    quality_ = {};
    slots_ = 0;
    {
      BlockBatch out(sink);
      at_ = 0;
      auto area = sorted_areas_.begin();
      while (at_ < found_.groups.size()) {
        for (; area != sorted_areas_.end() && *area < found_.groups[at_].group; ++area)
          out.add({*area, kPageSize, 0, 0, BlockState::kMetadata});
        walk_group(out, 0);
      }
      for (; area != sorted_areas_.end(); ++area) out.add({*area, kPageSize, 0, 0, BlockState::kMetadata});
    }
    checksums_ = {{"slots of size classes", found_.said_slots, slots_}};
    return quality_;
  }

 private:
  // Groups that lie in a slot of another one come right behind it, and are no ranges of their own.
  bool inside(const MuslMeta& group) const {
    return std::ranges::binary_search(nested_, group.group);
  }

  // What is no mapping of its own has to lie in data of modules, or in another group. Each byte counts once.
  void drop_overlaps() {
    std::vector<Range> open;
    std::erase_if(found_.groups, [&](const MuslMeta& group) {
      while (!open.empty() && open.back().end <= group.group) open.pop_back();
      bool nested = !open.empty();
      if (group.end() <= group.group || !is_mapped(group)) return true;
      if (nested && (group.mapped() || group.end() > open.back().end || open.size() > kMostNested)) return true;
      if (nested) nested_.push_back(group.group);
      open.push_back({group.group, group.end()});
      return false;
    });
    sorted_areas_ = found_.areas;
    std::ranges::sort(sorted_areas_);
  }

  bool is_mapped(const MuslMeta& group) const {
    auto mapping = std::ranges::upper_bound(target_.mappings, group.group, {}, &Mapping::end);
    for (std::uint64_t at = group.group; mapping != target_.mappings.end() && mapping->start <= at; ++mapping) {
      if (!mapping->writable) return false;
      at = mapping->end;
      if (at >= group.end()) return true;
    }
    return false;
  }

  void walk_group(BlockBatch& out, int depth) {
    const MuslMeta group = found_.groups[at_++];
    if (group.size_class() < kMuslClasses && group.counts()) slots_ += group.slots();
    out.add({group.group, kMuslUnit - kSlotHeader, 0, 0, BlockState::kMetadata});
    std::uint64_t first = group.group + kMuslUnit, end = group.end();
    for (std::uint32_t slot = 0; slot < group.slots(); ++slot) {
      std::uint64_t start = first + slot * group.stride();
      walk_slot(group, slot, start, std::min(start + group.stride(), end), out, depth);
    }
    std::uint64_t used = first + group.slots() * group.stride();
    if (used < end) out.add({used, end - used, 0, 0, BlockState::kMetadata});
  }

  void walk_slot(const MuslMeta& group, std::uint32_t slot, std::uint64_t start, std::uint64_t end, BlockBatch& out, int depth) {
    if (start >= end) return;
    bool is_parent = at_ < found_.groups.size() && found_.groups[at_].group < end;
    if (is_parent && depth < kMostNested) {
      std::uint64_t from = start;
      while (at_ < found_.groups.size() && found_.groups[at_].group < end) {
        if (found_.groups[at_].group > from) out.add({from, found_.groups[at_].group - from, 0, 0, BlockState::kMetadata});
        from = found_.groups[at_].end();
        walk_group(out, depth + 1);
      }
      if (from < end) out.add({from, end - from, 0, 0, BlockState::kMetadata});
      return;
    }
    if (group.is_free(slot)) return out.add({start, end - start - kSlotHeader, kSlotHeader, 0, BlockState::kFree});
    add_live(group, start, end - kSlotHeader, out);
  }

  // Before a block: how many units it lies behind the group's start, its slot, and how many bytes it leaves at the end. A block
  // need not begin where its slot does.
  void add_live(const MuslMeta& group, std::uint64_t start, std::uint64_t end, BlockBatch& out) {
    std::uint64_t block = start;
    std::uint32_t header = window_.at<std::uint32_t>(start - 4, end).value_or(0);
    if ((header >> 8 & 0xff) == 7 << 5) {
      block += kMuslUnit * (header >> 16);
      if (block >= end) block = start;
      header = block == start ? 0 : window_.at<std::uint32_t>(block - 4, end).value_or(0);
    }
    std::uint64_t reserved = header >> 13 & 7;
    if (reserved >= 5) reserved = window_.at<std::uint32_t>(end - 4, end).value_or(0);
    std::uint64_t usable = reserved <= end - block ? end - block - reserved : end - block;
    BlockState state = group.mapped() && group.slots() == 1 ? BlockState::kMapped : BlockState::kLive;
    if (block > start) out.add({start, block - start, 0, 0, BlockState::kMetadata});
    out.add({block, usable, kSlotHeader, 0, state});
    if (block + usable < end) out.add({block + usable, end - block - usable, 0, 0, BlockState::kMetadata});
  }

  Target target_;
  MuslHeap found_;
  Window window_;
  std::vector<std::uint64_t> nested_, sorted_areas_;  // addresses, in order
  std::vector<Arena> arenas_;
  std::vector<Range> ranges_;
  std::vector<Checksum> checksums_;
  WalkQuality quality_;
  std::size_t at_ = 0;
  std::uint64_t slots_ = 0;
};

}  // namespace

std::unique_ptr<Heap> open_musl_heap(const Target& target) {
  std::optional<MuslHeap> found = find_musl_heap(target);
  if (!found) return nullptr;
  auto heap = std::make_unique<MuslReader>(target, std::move(*found));
  if (heap->empty()) return nullptr;
  return heap;
}

}  // namespace dwell::memory::heap
