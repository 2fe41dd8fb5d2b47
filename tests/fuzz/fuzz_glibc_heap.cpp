// SPDX-License-Identifier: Apache-2.0
// A heap of glibc's whose owner is hostile: a sound one that was made up, and in it the fuzzer's changes.
#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"
#include "tests/unit/heap/glibc_image.h"
#include "userspace/memory/heap/glibc_heap.h"
#include "userspace/memory/heap/inventory.h"

namespace {

using dwell::testing::GlibcImage;

GlibcImage sound_heap() {
  GlibcImage image;
  std::uint64_t cached = image.cached(0x30);
  image.cache({cached}, {0x30});
  for (int i = 0; i < 20; ++i) {
    image.live(0x40 + 0x10 * static_cast<std::uint64_t>(i));
    image.free(0x90);
    image.live(0x20);
    image.fast(0x20);
  }
  image.mapped(0x3000);
  image.finish();
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::Input input(data, size);
  GlibcImage image = sound_heap();
  std::uint64_t places[] = {image.arena(), dwell::testing::kImageData + 0x1000, dwell::testing::kImageHeap,
                            dwell::testing::kImageMapped};
  for (int changes = input.byte() % 16; changes > 0; --changes) {
    std::uint64_t at = places[input.byte() % 4] + input.take<std::uint16_t>() / 8 * 8;
    std::uint64_t word = input.take<std::uint64_t>();
    image.store(at, input.byte() % 2 ? word : image.load(at) + static_cast<std::int8_t>(word) * 8);
  }
  // A window of a megabyte, and a copy of the data; 64 bytes for each that is mapped would be too many.
  dwell::testing::MemoryBound bound(size, std::size_t{32} << 20, 64);
  dwell::testing::ImageTarget target(image);
  auto heap = dwell::memory::heap::open_glibc_heap(target.target());
  if (!heap) return 0;
  dwell::memory::heap::InventoryMaker maker(target.target().pages, *heap);
  heap->walk([&](std::span<const dwell::memory::heap::Block> blocks) { maker.add(blocks); });
  (void)maker.finish();
  return 0;
}
