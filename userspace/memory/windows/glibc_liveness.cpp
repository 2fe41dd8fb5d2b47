// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/glibc_liveness.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "userspace/memory/heap/glibc_chunk.h"
#include "userspace/memory/heap/glibc_parameters.h"
#include "userspace/memory/heap/glibc_version.h"
#include "userspace/memory/heap/page_states.h"
#include "userspace/memory/windows/cut_words.h"

namespace dwell::memory::windows {
namespace {

constexpr int kFirstChunks = 64;  // of a segment: a thread's cache is among the first that it allocates
constexpr std::uint64_t kMostSlack = 64;  // of a chunk beyond what was asked for, and an eighth of that
constexpr std::uint64_t kLargestFastChunk = 128, kFastbinsBeforeBins = 96;
constexpr int kMostLinks = 1000;  // followed in one look: probes may stand meanwhile
constexpr std::uint64_t kLargestCachedChunk = 0x410;
constexpr std::size_t kEnoughForKey = 3, kMostCandidates = 1000;
constexpr std::uint64_t kMmapSlack = 1 << 16;
constexpr std::uint64_t kMostGrowth = 64 << 20;  // the size of an arena's heap

void add_caches(const ProcessMemory& memory, const std::vector<heap::Segment>& segments, heap::FreeLists& lists) {
  for (const heap::Segment& segment : segments) {
    std::uint64_t at = segment.first;
    for (int i = 0; i < kFirstChunks && at < segment.range.end; ++i) {
      std::optional<heap::Chunk> chunk = memory.load<heap::Chunk>(at);
      if (!chunk || !heap::is_plausible(*chunk, at, segment.range.end, segment.main)) break;
      lists.add_cache(memory, at + heap::kChunkHeader, chunk->size() - heap::kChunkHeader / 2, segments);
      at += chunk->size();
    }
  }
  lists.conclude();
}

}  // namespace

std::unique_ptr<GlibcLiveness> GlibcLiveness::open(const ProcessMemory& memory, const std::vector<Mapping>& mappings) {
  heap::PageStates pages(memory.pid());
  heap::Target target{memory, pages, mappings};
  std::optional<heap::GlibcArenas> arenas = heap::find_glibc_arenas(target);
  if (!arenas) return nullptr;
  auto parameters = heap::find_glibc_parameters(memory, arenas->data, heap::brk_range(mappings));
  heap::Segments segments = heap::find_glibc_segments(target, *arenas, parameters);
  std::string version;  // which tells how links read
  for (const Mapping& mapping : mappings)
    if (mapping.start == arenas->data.start) version = heap::glibc_version(memory.pid(), mapping);
  heap::FreeLists lists(heap::links_of(version));
  add_caches(memory, segments.all, lists);
  std::unique_ptr<GlibcLiveness> made(new GlibcLiveness(memory, std::move(*arenas), std::move(segments.all), std::move(lists)));
  made->mangled_ = heap::links_of(version) != heap::Links::kPlain;
  return made;
}

void GlibcLiveness::look(std::span<const Question> questions, std::span<Look> looks) {
  std::vector<Head> heads(questions.size());
  std::vector<std::uint64_t> behind(questions.size(), 0);
  std::vector<MemoryPiece> pieces(questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i)
    pieces[i] = {questions[i].address - heap::kChunkHeader, sizeof(Head), reinterpret_cast<char*>(&heads[i])};
  memory_.read_pieces(pieces);
  for (std::size_t i = 0; i < questions.size() && !knows_key(); ++i)
    if (pieces[i].read) learn_key(questions[i], heads[i]);
  std::vector<MemoryPiece> next;
  std::vector<std::size_t> whose;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    looks[i] = {pieces[i].read ? judge(questions[i], heads[i]) : BlockState::kFree, cut_words(heads[i].words, questions[i].size)};
    if (looks[i].state != BlockState::kLive || heads[i].mapped()) continue;
    next.push_back({questions[i].address - heap::kChunkHeader + heads[i].size() + 8, 8, reinterpret_cast<char*>(&behind[i])});
    whose.push_back(i);
  }
  memory_.read_pieces(next);
  int links = kMostLinks;
  for (std::size_t n = 0; n < next.size(); ++n) {
    std::size_t i = whose[n];
    if (!next[n].read || !(behind[i] & 1)) looks[i].state = BlockState::kFree;
    if (looks[i].state == BlockState::kLive) looks[i].state = fastbin_state(questions[i], heads[i], links);
  }
}

// All but what the next chunk says.
BlockState GlibcLiveness::judge(const Question& question, const Head& head) const {
  std::uint64_t size = head.size();
  if (size < heap::kSmallestChunk || size % heap::kChunkAlignment) return BlockState::kFree;
  std::uint64_t needed = question.size + (head.mapped() ? 2 : 1) * heap::kChunkHeader / 2;
  std::uint64_t slack = head.mapped() ? kMmapSlack : kMostSlack;
  // A chunk of another size: the block is gone, and its place was merged or cut.
  if (size < needed || size > std::max(needed, heap::kSmallestChunk) + slack + question.size / 8) return BlockState::kFree;
  if (head.mapped()) return BlockState::kLive;
  if (key_ && head.words[1] == key_) return BlockState::kFree;
  if (!heap::is_live(lists_.state_of(question.address, head.words[1]))) return BlockState::kFree;
  return !knows_key() && may_be_cached(question, head) ? BlockState::kUnknown : BlockState::kLive;
}

// A block in a thread cache has the key behind its link to the next one, which leads to a block of the same size.
bool GlibcLiveness::may_be_cached(const Question& question, const Head& head) const {
  if (head.mapped() || head.size() > kLargestCachedChunk || head.words[1] == 0) return false;
  std::uint64_t next = mangled_ ? head.words[0] ^ question.address >> 12 : head.words[0];
  return next == 0 || is_chunk_of(next - heap::kChunkHeader, head.size());
}

// Thread caches may have been empty when they were looked at.
void GlibcLiveness::learn_key(const Question& question, const Head& head) {
  if (!may_be_cached(question, head)) return;
  std::vector<std::uint64_t>& blocks = candidates_[head.words[1]];
  if (std::find(blocks.begin(), blocks.end(), question.address) == blocks.end()) blocks.push_back(question.address);
  if (blocks.size() >= kEnoughForKey) key_ = head.words[1];
  if (candidates_.size() > kMostCandidates) candidates_.clear();
}

// The heap may have grown since its segments were found.
bool GlibcLiveness::may_be_heap(std::uint64_t address) const {
  return std::any_of(segments_.begin(), segments_.end(), [address](const heap::Segment& segment) {
    return address >= segment.range.start && address < segment.range.end + kMostGrowth;
  });
}

bool GlibcLiveness::is_chunk_of(std::uint64_t chunk, std::uint64_t size) const {
  if (chunk == 0) return true;
  if (chunk % heap::kChunkAlignment || !may_be_heap(chunk)) return false;
  std::optional<std::uint64_t> there = memory_.load<std::uint64_t>(chunk + 8);
  return there && (*there & ~std::uint64_t{7}) == size;
}

// A chunk in a fastbin begins with the link to the next one. Since 2.32 that is mangled, by where it stands, which no other word looks
// like; in older versions it may be any pointer to a chunk of that size, so that the lists have to be followed.
BlockState GlibcLiveness::fastbin_state(const Question& question, const Head& head, int& links) const {
  if (head.size() > kLargestFastChunk || arenas_.layout.bins < kFastbinsBeforeBins) return BlockState::kLive;
  if (mangled_ && knows_key()) return is_chunk_of(head.words[0] ^ question.address >> 12, head.size()) ? BlockState::kFree : BlockState::kLive;
  if (!is_chunk_of(head.words[0], head.size())) return BlockState::kLive;
  std::uint64_t bin = (head.size() - heap::kSmallestChunk) / heap::kChunkAlignment;
  for (const heap::GlibcArena& arena : arenas_.arenas) {
    auto at = memory_.load<std::uint64_t>(arena.address + arenas_.layout.bins - kFastbinsBeforeBins + 8 * bin);
    for (std::uint64_t here = at.value_or(0); here;) {
      if (here == question.address - heap::kChunkHeader) return BlockState::kFree;
      if (--links <= 0) return BlockState::kUnknown;
      here = memory_.load<std::uint64_t>(here + heap::kChunkHeader).value_or(0);
      if (!is_chunk_of(here, head.size())) break;
    }
  }
  return BlockState::kLive;
}

}  // namespace dwell::memory::windows
