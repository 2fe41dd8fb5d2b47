// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/block_sites.h"

#include <map>

#include "userspace/memory/part.h"
#include "userspace/memory/view.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

class RecordedBlockSites : public BlockSites {
 public:
  bool has_blocks(const Recording& recording) const override { return !memory_of(recording).live.blocks.empty(); }

  std::vector<std::optional<BlockSite>> find(const Recording& recording, ProcessSlot process, std::uint64_t until_ns,
                                             std::span<const std::uint64_t> addresses) const override {
    const MemoryPart& memory = memory_of(recording);
    std::multimap<std::uint64_t, std::size_t> asked;
    for (std::size_t i = 0; i < addresses.size(); ++i) asked.emplace(addresses[i], i);
    std::vector<const LiveBlock*> found(addresses.size());
    for (const LiveBlock& block : memory.live.blocks) {
      if (memory.series[block.series].process != process || block.birth_ns > until_ns) continue;
      for (auto at = asked.lower_bound(block.address); at != asked.end() && at->first - block.address < block.size; ++at) {
        const LiveBlock*& best = found[at->second];
        if (!best || block.size < best->size) best = &block;  // a heap's block lies in a mapping
      }
    }
    FrameTexts texts(recording);
    std::vector<std::optional<BlockSite>> sites;
    for (const LiveBlock* block : found) sites.push_back(block ? std::optional(describe(recording, texts, *block, until_ns)) : std::nullopt);
    return sites;
  }

 private:
  static BlockSite describe(const Recording& recording, const FrameTexts& texts, const LiveBlock& block,
                            std::uint64_t until_ns) {
    const Series& series = memory_of(recording).series[block.series];
    const CallStack& stack = recording.stacks[static_cast<std::size_t>(series.stack)];
    BlockSite site{block.address, block.size, name_of(series.kind), until_ns - block.birth_ns, texts.frames_of(stack), ""};
    if (!site.stack.empty()) site.incomplete = incomplete_because(stack.end);
    return site;
  }
};

}  // namespace

const BlockSites& recorded_block_sites() {
  static const RecordedBlockSites sites;
  return sites;
}

}  // namespace dwell
