// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>

#include "tests/unit/heap/glibc_image.h"
#include "userspace/memory/heap/glibc_heap.h"
#include "userspace/memory/heap/glibc_version.h"

namespace dwell::testing {
namespace {

using memory::heap::Block;
using memory::heap::BlockState;

struct Walk {
  bool opened = false;
  std::map<std::uint64_t, BlockState> states;
  std::map<std::uint64_t, std::uint64_t> sizes;
  std::uint64_t bytes = 0;  // of all blocks and their headers
  memory::heap::WalkQuality quality;
  std::vector<memory::heap::Checksum> checksums;
};

Walk walk(const GlibcImage& image) {
  ImageTarget target(image);
  Walk walk;
  auto heap = memory::heap::open_glibc_heap(target.target());
  if (!heap) return walk;
  walk.opened = true;
  walk.quality = heap->walk([&](std::span<const Block> blocks) {
    for (const Block& block : blocks) {
      walk.states[block.address] = block.state;
      walk.sizes[block.address] = block.usable;
      walk.bytes += block.usable + block.header;
    }
  });
  walk.checksums = heap->checksums();
  return walk;
}

TEST(GlibcHeap, TellsLiveFreeAndCachedBlocksApart) {
  GlibcImage image;
  std::uint64_t live = image.live(0x40), free = image.free(0x500), after = image.live(0x20);
  std::uint64_t cached = image.cached(0x30), fast = image.fast(0x20), second = image.fast(0x20);
  std::uint64_t cache = image.cache({cached}, {0x30});
  image.finish();
  Walk seen = walk(image);
  ASSERT_TRUE(seen.opened);
  EXPECT_EQ(seen.states[live], BlockState::kLive);
  EXPECT_EQ(seen.sizes[live], 0x38u);
  EXPECT_EQ(seen.states[free], BlockState::kFree);
  EXPECT_EQ(seen.states[after], BlockState::kLive);
  EXPECT_EQ(seen.states[cached], BlockState::kThreadCache);
  EXPECT_EQ(seen.states[fast], BlockState::kFastbin);
  EXPECT_EQ(seen.states[second], BlockState::kFastbin);
  EXPECT_EQ(seen.states[cache], BlockState::kLive);
  EXPECT_EQ(seen.quality.lost_bytes, 0u);
  EXPECT_EQ(seen.bytes, image.mappings()[0].end - kImageHeap);
}

TEST(GlibcHeap, FindsTheArenaWhateverComesBeforeItsBins) {
  for (std::uint64_t bins : {24, 104, 112, 120}) {
    GlibcImage image(bins);
    std::uint64_t live = image.live(0x40);
    image.finish();
    EXPECT_EQ(walk(image).states[live], BlockState::kLive) << bins;
  }
}

// top and last_remainder look like a bin that is not empty, and the one before the last bin is empty, too.
TEST(GlibcHeap, IsNotMisledByWhatLooksLikeOneMoreBin) {
  GlibcImage image;
  std::uint64_t live = image.live(0x40);
  image.finish();
  image.store(image.arena() + 112 - 8, live - 16);  // last_remainder
  EXPECT_EQ(walk(image).states[live], BlockState::kLive);
}

TEST(GlibcHeap, GoesOnBehindWhatTheProgramTookOfBrk) {
  GlibcImage image;
  std::uint64_t before = image.live(0x40);
  image.fencepost();
  image.skip(0x1230);
  std::vector<std::uint64_t> behind;
  for (int i = 0; i < 12; ++i) behind.push_back(image.live(0x50));
  image.finish();
  Walk seen = walk(image);
  EXPECT_EQ(seen.states[before], BlockState::kLive);
  for (std::uint64_t block : behind) EXPECT_EQ(seen.states[block], BlockState::kLive);
  EXPECT_EQ(seen.quality.lost_bytes, 0x1230u);
}

TEST(GlibcHeap, CountsWhatMakesNoSenseAndGoesOn) {
  GlibcImage image;
  std::uint64_t before = image.live(0x40), broken = image.live(0x200);
  std::vector<std::uint64_t> behind;
  for (int i = 0; i < 12; ++i) behind.push_back(image.live(0x50));
  image.finish();
  image.store(broken - 8, 0x13);
  Walk seen = walk(image);
  EXPECT_EQ(seen.states[before], BlockState::kLive);
  EXPECT_EQ(seen.quality.lost_bytes, 0x200u);
  EXPECT_EQ(seen.states[broken - 16], BlockState::kUnknown);
  for (std::uint64_t block : behind) EXPECT_EQ(seen.states[block], BlockState::kLive);
}

TEST(GlibcHeap, FindsMappedBlocksAndChecksTheirSum) {
  GlibcImage image;
  image.live(0x40);
  std::uint64_t first = image.mapped(0x3000), second = image.mapped(0x5000);
  // What posix_memalign leaves: the header of the whole mapping, and one before the aligned block.
  std::uint64_t aligned = second - 16 + 256;
  image.store(aligned - 16, 240), image.store(aligned - 8, (0x5000 - 240) | 2);
  image.finish();
  Walk seen = walk(image);
  EXPECT_EQ(seen.states[first], BlockState::kMapped);
  EXPECT_EQ(seen.sizes[first], 0x3000u - 16);
  EXPECT_EQ(seen.states[aligned], BlockState::kMapped);
  EXPECT_EQ(seen.sizes[aligned], 0x5000u - 256);
  ASSERT_EQ(seen.checksums.size(), 2u);
  for (const memory::heap::Checksum& check : seen.checksums) EXPECT_EQ(check.said, check.found) << check.name;
}

TEST(GlibcHeap, IsNotFoundWhereMallocWasNeverUsed) {
  GlibcImage image;
  image.finish();
  image.store(image.arena() + 112 + 2072, 0);  // no memory from the kernel yet
  EXPECT_FALSE(walk(image).opened);
}

TEST(GlibcHeap, EndsWithARingOfArenasThatDoesNotComeBack) {
  GlibcImage image;
  image.live(0x40);
  image.finish();
  image.store(image.arena() + 112 + 2048, kImageHeap);  // the next arena's next is 0
  EXPECT_FALSE(walk(image).opened);
}

TEST(GlibcVersion, StandsInTheBanner) {
  EXPECT_EQ(memory::heap::glibc_version_in("\0GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.\n"), "");
  EXPECT_EQ(memory::heap::glibc_version_in("xGNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.\n"),
            "2.36");
  EXPECT_EQ(memory::heap::glibc_version_in("GNU C Library ("), "");
}

}  // namespace
}  // namespace dwell::testing
