// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/heap/glibc_image.h"
#include "userspace/memory/heap/glibc_heap.h"
#include "userspace/memory/heap/inventory.h"

namespace dwell::testing {
namespace {

using namespace memory::heap;

Inventory inventory_of(const GlibcImage& image, PageStates::Source pages) {
  ProcessMemory memory(1, [&image](std::uint64_t address, void* to, std::size_t size) { return image.read(address, to, size); });
  PageStates states(std::move(pages));
  Target target{memory, states, image.mappings()};
  auto heap = open_glibc_heap(target);
  EXPECT_TRUE(heap);
  if (!heap) return {};
  InventoryMaker maker(states, *heap);
  heap->walk([&](std::span<const Block> blocks) { maker.add(blocks); });
  return maker.finish();
}

PageState all_present(std::uint64_t) { return PageState::kPresent; }

TEST(SizeClasses, AreFourToADoublingAndHoldTheirSizes) {
  for (std::uint64_t size = 0; size < 100'000; ++size) {
    std::size_t index = size_class_of(size);
    ASSERT_LE(size, largest_of_class(index)) << size;
    ASSERT_TRUE(index == 0 || size > largest_of_class(index - 1)) << size;
  }
  EXPECT_EQ(largest_of_class(size_class_of(65)), 80u);
  EXPECT_EQ(largest_of_class(size_class_of(~std::uint64_t{0} >> 2)), std::uint64_t{1} << 62);
}

TEST(Inventory, AddsUpToTheWholeHeap) {
  GlibcImage image;
  image.live(0x40), image.free(0x500), image.live(0x20);
  image.finish(0x1000);
  Inventory inventory = inventory_of(image, all_present);
  std::uint64_t sum = inventory.headers;
  for (const Amount& amount : inventory.by_state) sum += amount.bytes;
  EXPECT_EQ(sum, image.mappings()[0].end - kImageHeap);
  EXPECT_EQ(inventory.live().blocks, 2u);
  EXPECT_EQ(inventory.live().bytes, 0x38u + 0x18u);
}

TEST(Inventory, CountsOnlyPagesInMemoryAsResident) {
  GlibcImage image;
  image.live(0x5000), image.live(0x20);
  image.finish(0x1000);
  Inventory inventory = inventory_of(image, [](std::uint64_t address) {
    return address == kImageHeap + 0x2000 ? PageState::kAbsent : PageState::kPresent;
  });
  EXPECT_EQ(inventory.live().bytes - inventory.live().resident, 4096u);
}

// A free chunk of 0x4000 from page start on: malloc_trim keeps the page with its header.
TEST(Inventory, TellsWhatMallocTrimWouldGiveBack) {
  GlibcImage image;
  image.live(0x1000);
  image.free(0x4000);
  image.live(0x1000);
  image.finish(0x3000);
  Inventory inventory = inventory_of(image, all_present);
  EXPECT_EQ(inventory.trimmable, 0x3000u + 0x2000u);
}

TEST(Inventory, NamesTheBlocksThatPinFreePages) {
  GlibcImage image;
  for (int i = 0; i < 8; ++i) image.free(0xfc0), image.live(0x40);
  image.finish();
  Inventory inventory = inventory_of(image, all_present);
  ASSERT_EQ(inventory.pins.size(), 1u);
  EXPECT_EQ(inventory.pins[0].to, 56u);
  EXPECT_EQ(inventory.pins[0].pages, 8u);
  EXPECT_GT(inventory.pinned_bytes, 8 * 0xf00u);
}

}  // namespace
}  // namespace dwell::testing
