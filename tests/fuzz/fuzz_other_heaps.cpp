// SPDX-License-Identifier: Apache-2.0
// Heaps of musl, mimalloc, tcmalloc and jemalloc whose owner is hostile: sound ones that were made up, and in them the fuzzer's
// changes.
#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"
#include <iterator>

#include "tests/unit/heap/allocator_images.h"
#include "userspace/memory/heap/heaps.h"
#include "userspace/memory/heap/inventory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell::testing;
  Input input(data, size);
  static const AllocatorImage kSound[] = {musl_image(), mimalloc_image(), tcmalloc_image(), jemalloc_image(),
                                          mimalloc_3_0_image(), mimalloc_3_6_image(), old_musl_image(), jemalloc_5_2_image()};
  AllocatorImage image = kSound[input.byte() % std::size(kSound)];
  for (int changes = input.byte() % 16; changes > 0; --changes) {
    std::uint64_t at = image.structures[input.byte() % image.structures.size()] + input.byte() / 4 * 4;
    std::uint64_t word = input.take<std::uint64_t>();
    image.memory.store(at, input.byte() % 2 ? word : image.memory.load(at) + static_cast<std::uint64_t>(static_cast<std::int8_t>(word)));
  }
  // Trees of two megabytes and their like.
  MemoryBound bound(size, std::size_t{64} << 20, 64);
  AllocatorTarget target(image);
  dwell::memory::heap::FoundHeaps found = dwell::memory::heap::find_heaps(target.target());
  for (const auto& heap : found.heaps) {
    dwell::memory::heap::InventoryMaker maker(target.target().pages, *heap);
    heap->walk([&](std::span<const dwell::memory::heap::Block> blocks) { maker.add(blocks); });
    (void)maker.finish();
  }
  return 0;
}
