// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/mimalloc_heap.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>

#include "userspace/memory/heap/block_batch.h"
#include "userspace/memory/heap/mimalloc_lists.h"
#include "userspace/memory/heap/mimalloc_page_map.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kHeapHead = 4096;  // of a thread's heap: where its list of blocks that others freed may stand
constexpr std::size_t kMostDelayed = 1 << 20;

class MimallocHeap final : public Heap {
 public:
  MimallocHeap(const Target& target, MimallocSegments found)
      : target_(target), found_(std::move(found)), lists_(target.memory, found_.layout) {
    arenas_.resize(1);
    arenas_[0].main = true;
    for (const MimallocSegment& segment : found_.all) {
      arenas_[0].system_bytes += segment.size;
      append_range(ranges_, {segment.address, segment.address + segment.size});
    }
  }

  std::string name() const override { return found_.layout.mapped ? "mimalloc 3" : "mimalloc 2"; }
  const std::vector<Arena>& arenas() const override { return arenas_; }
  const std::vector<Range>& ranges() const override { return ranges_; }
  const std::vector<Checksum>& checksums() const override { return checksums_; }
  std::uint64_t alignment() const override { return 8; }

  WalkQuality walk(const Sink& sink) override {
    quality_ = {};
    used_said_ = used_found_ = 0;
    find_delayed();
    {
      BlockBatch out(sink);
      for (const MimallocSegment& segment : found_.all) walk(segment, out);
    }
    checksums_ = {{"blocks in use", used_said_, used_found_}};
    return quality_;
  }

 private:
  void walk(const MimallocSegment& segment, BlockBatch& out) {
    out.add(segment.address, segment.address + segment.info, BlockState::kMetadata);
    std::uint64_t end = segment.address + segment.info;
    for (const MimallocPage& page : segment.pages) {
      if (page.slices_start < end) continue;  // what went before has become larger meanwhile
      bool before_first = end == segment.address + segment.info;
      out.add(end, page.slices_start, before_first ? BlockState::kMetadata : BlockState::kFree);
      end = walk(segment, page, out);
    }
    out.add(end, segment.address + segment.size, BlockState::kFree);
  }

  // Returns where it ends.
  std::uint64_t walk(const MimallocSegment& segment, const MimallocPage& old, BlockBatch& out) {
    MimallocLists::State state = lists_.read(segment.address, old);
    const MimallocPage& page = state.page;
    std::uint64_t slices_end = std::min(page.slices_end, segment.address + segment.size);
    quality_.retries += state.retries;
    if (page.block_size == 0 || state.free.empty()) {
      out.add(old.slices_start, slices_end, BlockState::kFree);
      return std::max(slices_end, old.slices_start);
    }
    used_said_ += page.used;
    used_found_ += state.settled ? page.used : page.capacity;
    std::uint64_t at = lists_.start_of(page);
    out.add(page.slices_start, at, BlockState::kMetadata);
    for (std::uint32_t block = 0; block < page.capacity && at < slices_end; ++block) {
      std::uint64_t size = std::min(page.block_size, slices_end - at);
      out.add(at, at + size, state_of(at, state.free[block]));
      at += size;
    }
    out.add(at, slices_end, BlockState::kTop);  // never handed out
    return slices_end;
  }

  BlockState state_of(std::uint64_t block, bool free) const {
    if (free) return BlockState::kFree;
    return delayed_.contains(block) ? BlockState::kThreadCache : BlockState::kLive;
  }

  // Blocks of full pages that other threads freed wait in a list of the heap that owns the page. It stands right before the
  // number of the heap's thread.
  void find_delayed() {
    delayed_.clear();
    absl::flat_hash_set<std::uint64_t> heaps;
    for (const MimallocSegment& segment : found_.all)
      for (const MimallocPage& page : segment.pages)
        if (page.heap && page.heap % 8 == 0 && heaps.insert(page.heap).second) add_delayed(page.heap, segment.thread, page.keys[0] != 0);
  }

  void add_delayed(std::uint64_t heap, std::uint64_t thread, bool encoded) {
    std::vector<std::uint64_t> words(kHeapHead / 8);
    words.resize(target_.memory.read_some(heap, words.data(), kHeapHead) / 8);
    if (!thread || encoded) return;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] != thread || (words[i - 1] && !is_block(words[i - 1]))) continue;
      std::vector<std::uint64_t> blocks;
      for (std::uint64_t at = words[i - 1]; at && is_block(at) && blocks.size() < kMostDelayed;) {
        blocks.push_back(at);
        at = target_.memory.load<std::uint64_t>(at).value_or(1);
        if (at && !is_block(at)) return;
      }
      if (blocks.size() == kMostDelayed) return;
      // The owner may have taken it meanwhile, and handed its blocks out.
      if (target_.memory.load<std::uint64_t>(heap + 8 * (i - 1)) == words[i - 1]) delayed_.insert(blocks.begin(), blocks.end());
      return;
    }
  }

  bool is_block(std::uint64_t address) const {
    auto after = std::ranges::upper_bound(ranges_, address, {}, &Range::start);
    return address % 8 == 0 && after != ranges_.begin() && address < (after - 1)->end;
  }

  Target target_;
  MimallocSegments found_;
  MimallocLists lists_;
  std::vector<Arena> arenas_;
  std::vector<Range> ranges_;
  std::vector<Checksum> checksums_;
  absl::flat_hash_set<std::uint64_t> delayed_;
  WalkQuality quality_;
  std::uint64_t used_said_ = 0, used_found_ = 0;  // others' frees that the page's owner has not seen yet included
};

}  // namespace

std::unique_ptr<Heap> open_mimalloc_heap(const Target& target) {
  std::optional<MimallocSegments> found = find_mimalloc_page_map(target);
  if (!found) found = find_mimalloc_segments(target);
  if (!found) return nullptr;
  return std::make_unique<MimallocHeap>(target, std::move(*found));
}

}  // namespace dwell::memory::heap
