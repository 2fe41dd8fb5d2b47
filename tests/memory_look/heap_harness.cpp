// SPDX-License-Identifier: Apache-2.0
#include "tests/memory_look/heap_harness.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "userspace/base/unique_fd.h"
#include "userspace/memory/heap/careful_reader.h"
#include "userspace/memory/heap/heaps.h"

namespace dwell::testing {

HeapBlocks::HeapBlocks(std::vector<std::string> command, const std::string& mode,
                       const std::vector<std::string>& environment) {
  std::string file = folder_.file("truth");
  command.push_back(file);
  command.push_back(mode);
  program_ = std::make_unique<Program>(command, environment);
  if (!program_->wait_for_output("ready")) {
    ADD_FAILURE() << command[0] << ": " << program_->errors() << program_->describe();
    static const hb_truth kNothing{};
    truth_ = &kNothing;
    return;
  }
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  void* mapped = ::mmap(nullptr, sizeof(hb_truth), PROT_READ, MAP_SHARED, fd.get(), 0);
  EXPECT_NE(mapped, MAP_FAILED);
  truth_ = static_cast<const hb_truth*>(mapped);
}

Walked walk_heap(pid_t pid) {
  using memory::heap::Block;
  using memory::heap::BlockState;
  Walked walked;
  std::vector<Mapping> mappings;
  memory::heap::CarefulReader reader(pid, 0);
  memory::heap::Target target{reader.memory(), reader.pages(), mappings};
  auto found = memory::heap::find_heaps_of(pid, target, mappings);
  if (!found || found->heaps.empty()) return walked;
  memory::heap::Heap& heap = *found->heaps.back();
  walked.found = true;
  walked.name = heap.name();
  walked.arenas = heap.arenas().size();
  for (const memory::heap::Arena& arena : heap.arenas()) walked.system_bytes += arena.system_bytes;
  std::uint64_t last = 0;
  walked.quality = heap.walk([&](std::span<const Block> blocks) {
    for (const Block& block : blocks) {
      walked.in_order &= block.address >= last;
      last = block.address;
      if (is_live(block.state)) walked.live[block.address] = block.usable;
      if (is_live(block.state)) walked.live_bytes += block.usable;
      if (block.state == BlockState::kThreadCache) walked.cached_bytes += block.usable;
      bool free = block.state == BlockState::kFree || block.state == BlockState::kFastbin || block.state == BlockState::kTop;
      if (free) walked.free_bytes += block.usable + block.header;
    }
  });
  walked.checksums = heap.checksums();
  return walked;
}

std::size_t missed(const hb_truth& truth, const Walked& walked, bool slots) {
  std::size_t count = 0;
  for (unsigned long i = 0; i < truth.live; ++i) {
    std::uint64_t address = truth.blocks[i].address, end = address + truth.blocks[i].usable;
    auto after = walked.live.upper_bound(address);
    bool found = after != walked.live.begin() && (slots ? std::prev(after)->first + std::prev(after)->second > address
                                                        : std::prev(after)->first == address);
    bool is_missed = !found || std::prev(after)->first + std::prev(after)->second != end;
    if (is_missed && count < 3)
      ADD_FAILURE() << std::hex << address << " of " << truth.blocks[i].usable
                    << (found ? " has another size" : " was not found");
    count += is_missed;
  }
  return count;
}

}  // namespace dwell::testing
