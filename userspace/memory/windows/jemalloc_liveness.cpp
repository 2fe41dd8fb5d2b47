// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/jemalloc_liveness.h"

#include <algorithm>

#include "userspace/memory/heap/page_states.h"

namespace dwell::memory::windows {
namespace {

using heap::ExtentRecord;
constexpr std::uint32_t kActive = 0;

BlockState judge(const Question& question, const ExtentRecord& record, const heap::JemallocLayout& layout) {
  std::uint64_t start = record.start(), size = heap::jemalloc_class_size(record.size_class(layout));
  if (question.address < start || question.address - start >= record.size() ||
      record.state(layout) != kActive)
    return BlockState::kFree;
  if (size < question.size) return BlockState::kFree;  // of another class now
  if (!record.slab()) return record.address == question.address ? BlockState::kLive : BlockState::kFree;
  std::uint64_t region = (question.address - start) / size;
  if ((question.address - start) % size || region >= 512) return BlockState::kFree;
  return record.free[region / 64] >> (region % 64) & 1 ? BlockState::kFree : BlockState::kLive;
}

}  // namespace

std::unique_ptr<JemallocLiveness> JemallocLiveness::open(const ProcessMemory& memory,
                                                         const std::vector<Mapping>& mappings) {
  heap::PageStates pages(memory.pid());
  heap::Target target{memory, pages, mappings};
  std::optional<heap::JemallocRoot> root = heap::find_jemalloc_root(target);
  if (!root) return nullptr;
  return std::unique_ptr<JemallocLiveness>(
      new JemallocLiveness(memory, *root, heap::find_jemalloc_caches(target, root->layout).places));
}

std::uint64_t JemallocLiveness::leaf_of(std::uint64_t address) {
  std::uint64_t& leaf = leaves_[address / heap::kLeafCovers];
  if (!leaf) leaf = memory_.load<std::uint64_t>(root_.address + address / heap::kLeafCovers * 8).value_or(0);
  return leaf;
}

// Where the extent of each block has its record; 0: it has none. Reads the blocks' words on the way.
std::vector<std::uint64_t> JemallocLiveness::records_of(std::span<const Question> questions,
                                                        std::span<Look> looks) {
  std::vector<std::uint64_t> words(questions.size(), 0);
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    std::uint64_t address = questions[i].address, leaf = leaf_of(address);
    looks[i] = {};
    if (!leaf) continue;
    pieces.push_back(
        {leaf + address % heap::kLeafCovers / heap::kPageSize * 8, 8, reinterpret_cast<char*>(&words[i])});
    std::size_t known = std::min<std::uint64_t>(sizeof(Words), questions[i].size);
    if (known) pieces.push_back({address, known, reinterpret_cast<char*>(looks[i].words.data())});
  }
  memory_.read_pieces(pieces);
  for (std::uint64_t& word : words) word = heap::TreeWord{word}.record();
  return words;
}

void JemallocLiveness::look(std::span<const Question> questions, std::span<Look> looks) {
  std::vector<std::uint64_t> records = records_of(questions, looks);
  std::vector<ExtentRecord> read(questions.size());
  std::vector<MemoryPiece> pieces;
  std::vector<std::size_t> whose;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    looks[i].state = BlockState::kFree;
    if (!records[i]) continue;
    pieces.push_back({records[i], sizeof(ExtentRecord), reinterpret_cast<char*>(&read[i])});
    whose.push_back(i);
  }
  memory_.read_pieces(pieces);
  for (std::size_t n = 0; n < pieces.size(); ++n)
    if (pieces[n].read) looks[whose[n]].state = judge(questions[whose[n]], read[whose[n]], root_.layout);
  // After the extents: what was given to a cache meanwhile is found there.
  absl::flat_hash_set<std::uint64_t> free = cached();
  for (std::size_t i = 0; i < questions.size(); ++i)
    if (looks[i].state == BlockState::kLive && free.contains(questions[i].address))
      looks[i].state = BlockState::kFree;
}

absl::flat_hash_set<std::uint64_t> JemallocLiveness::cached() const {
  std::vector<std::vector<heap::CacheBin>> bins(caches_.size());
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    bins[i].resize(caches_[i].bins);
    pieces.push_back({caches_[i].address, bins[i].size() * sizeof(heap::CacheBin),
                      reinterpret_cast<char*>(bins[i].data())});
  }
  memory_.read_pieces(pieces);
  std::vector<std::vector<std::uint64_t>> stacks;
  std::vector<MemoryPiece> of_stacks;
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    if (!pieces[i].read) continue;
    for (const heap::CacheBin& bin : bins[i]) {
      heap::CacheStack stack = bin.stack(root_.layout);
      if (stack.used <= 0) continue;
      stacks.emplace_back(static_cast<std::size_t>(stack.used));
      of_stacks.push_back({stack.at, stacks.back().size() * 8, nullptr});
    }
  }
  for (std::size_t i = 0; i < stacks.size(); ++i) of_stacks[i].to = reinterpret_cast<char*>(stacks[i].data());
  memory_.read_pieces(of_stacks);
  absl::flat_hash_set<std::uint64_t> regions;
  for (std::size_t i = 0; i < stacks.size(); ++i)
    if (of_stacks[i].read) regions.insert(stacks[i].begin(), stacks[i].end());
  return regions;
}

}  // namespace dwell::memory::windows
