// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/chunk_walk.h"

#include <time.h>

#include <algorithm>

namespace dwell::memory::heap {
namespace {

constexpr int kTries = 4;
// A thread may have lost its CPU in the middle of a change. So often at most, whatever a hostile heap looks like.
constexpr std::uint64_t kWaitNs = 100'000;
constexpr std::uint64_t kMostWaits = 60;
constexpr std::uint64_t kMostGrowth = std::uint64_t{1} << 30;  // during a walk
constexpr std::uint64_t kHeapSizeOffset = 16;                  // in heap_info

void wait_ns(std::uint64_t ns) {
  timespec time{0, static_cast<long>(ns)};
  ::nanosleep(&time, nullptr);
}

}  // namespace

void ChunkWalk::walk(const Segment& segment, BlockBatch& out) {
  arena_ = segment.arena;
  at_ = segment.first;
  end_ = segment.range.end;
  pending_ = {};
  torn_at_ = tries_ = 0;
  window_.drop();
  out.add(segment.range.start, segment.first, BlockState::kMetadata, arena_);
  read_top_again(segment);
  for (;;) {
    Step next = step(segment, out);
    if (next == Step::kEnd) return;
    if (next == Step::kTorn && !try_again(segment) && (top_is_behind() || !resync(segment, out))) return;
  }
}

// A heap may have grown meanwhile, and its top be beyond what was its end.
void ChunkWalk::read_top_again(const Segment& segment) {
  std::uint64_t top = read_top(memory_, arenas_.layout, arenas_.arenas[arena_].address);
  top_ = 0;
  if (top < segment.first || top - segment.first > segment.range.end - segment.first + kMostGrowth) return;
  if (segment.heap_info) {
    auto size = memory_.load<std::uint64_t>(segment.heap_info + kHeapSizeOffset);
    if (!size || *size % kPageSize || top - segment.heap_info >= *size) return;
    end_ = segment.heap_info + *size;
  } else if (top >= segment.range.end) {
    std::optional<Chunk> chunk = memory_.load<Chunk>(top);
    if (!segment.grows || !chunk || chunk->size() > kMostGrowth) return;
    end_ = std::max(end_, top + chunk->size());
  }
  top_ = top;
}

ChunkWalk::Step ChunkWalk::step(const Segment& segment, BlockBatch& out) {
  if (at_ == top_) read_top_again(segment);  // a block may have been cut from it meanwhile
  if (at_ == top_) return end_at_top(segment, out);
  if (end_ - at_ < sizeof(Chunk)) {
    settle(true, out);
    out.add(at_, end_, BlockState::kMetadata, arena_);
    return Step::kEnd;
  }
  std::optional<Chunk> chunk = window_.at<Chunk>(at_, end_);
  if (!chunk) return Step::kTorn;
  if (is_fencepost(*chunk, at_, end_, segment.main)) return at_fencepost(segment, out);
  if (!is_plausible(*chunk, at_, end_, segment.main)) return Step::kTorn;
  if (disagrees(*chunk, segment)) return Step::kTorn;
  if (at_ + chunk->size() == end_) {  // only the top reaches the end
    read_top_again(segment);
    if (at_ == top_) return end_at_top(segment, out);
  }
  settle(chunk->previous_in_use(), out);
  pending_ = {at_, chunk->size(), chunk->word1, true};
  at_ += chunk->size();
  return Step::kGoOn;
}

// Says that the chunk before is free, and of another size than that one says. A larger one has swallowed it meanwhile, with
// what is before it: then it is free, and its header will stay as it is.
bool ChunkWalk::disagrees(const Chunk& chunk, const Segment& segment) const {
  if (!pending_.any || chunk.previous_in_use() || chunk.prev_size == pending_.size) return false;
  bool swallowed = chunk.prev_size > pending_.size && chunk.prev_size % kChunkAlignment == 0 &&
                   chunk.prev_size <= at_ - segment.first;
  return !swallowed;
}

// The chunk before the top is never free: it would be part of it.
ChunkWalk::Step ChunkWalk::end_at_top(const Segment&, BlockBatch& out) {
  settle(true, out);
  std::optional<Chunk> chunk = memory_.load<Chunk>(at_);
  std::uint64_t size = chunk ? std::min(chunk->size(), end_ - at_) : 0;
  if (size >= kChunkHeader) emit(at_, size, BlockState::kTop, out);
  out.add(at_ + size, end_, BlockState::kMetadata, arena_);
  return Step::kEnd;
}

// In the main arena more may follow: the program took some of brk for itself.
ChunkWalk::Step ChunkWalk::at_fencepost(const Segment& segment, BlockBatch& out) {
  std::optional<Chunk> chunk = window_.at<Chunk>(at_, end_);
  settle(chunk && chunk->previous_in_use(), out);
  std::uint64_t behind = std::min(end_, at_ + 2 * kChunkHeader);
  out.add(at_, behind, BlockState::kMetadata, arena_);
  at_ = behind;
  if (!segment.main || top_ < at_) {
    out.add(at_, end_, BlockState::kMetadata, arena_);
    return Step::kEnd;
  }
  return resync(segment, out) ? Step::kGoOn : Step::kEnd;
}

// Whether to read the same place again, from the chunk before on.
bool ChunkWalk::try_again(const Segment& segment) {
  read_top_again(segment);
  if (top_is_behind()) return false;
  tries_ = at_ == torn_at_ ? tries_ + 1 : 1;
  torn_at_ = at_;
  if (tries_ > kTries) return false;
  if (tries_ > 1 && waits_++ < kMostWaits) wait_ns(kWaitNs << 3 * (tries_ - 2));
  ++quality_.retries;
  window_.drop();
  if (pending_.any) at_ = pending_.address;
  pending_.any = false;
  return true;
}

// Looks for the next chain. What lies before it is unknown.
bool ChunkWalk::resync(const Segment& segment, BlockBatch& out) {
  ++quality_.resyncs;
  settle(true, out);
  window_.drop();
  std::uint64_t from = at_;
  for (at_ += kChunkAlignment; at_ < end_ && end_ - at_ >= sizeof(Chunk); at_ += kChunkAlignment) {
    if (at_ == top_) break;
    std::optional<Chunk> chunk = window_.at<Chunk>(at_, end_);
    if (!chunk) {  // a page that is in swap
      at_ = (at_ | (kPageSize - 1)) + 1 - kChunkAlignment;
      continue;
    }
    if (is_plausible(*chunk, at_, end_, segment.main) && is_chain(memory_, at_, {from, end_}, segment.main)) break;
  }
  at_ = std::min(at_, end_);
  quality_.lost_bytes += at_ - from;
  out.add(from, at_, BlockState::kUnknown, arena_);
  return at_ < end_;
}

void ChunkWalk::settle(bool in_use, BlockBatch& out) {
  if (!pending_.any) return;
  pending_.any = false;
  BlockState state = in_use ? lists_.state_of(pending_.address + kChunkHeader, pending_.word1) : BlockState::kFree;
  emit(pending_.address, pending_.size, state, out);
}

// A chunk in use also has the first word of the next one: 8 bytes of it are not the program's.
void ChunkWalk::emit(std::uint64_t chunk, std::uint64_t size, BlockState state, BlockBatch& out) {
  out.add({chunk + kChunkHeader, size - kChunkHeader / 2, kChunkHeader / 2, arena_, state});
}

}  // namespace dwell::memory::heap
