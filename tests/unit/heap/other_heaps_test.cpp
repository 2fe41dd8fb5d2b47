// SPDX-License-Identifier: Apache-2.0
// Heaps of other allocators than glibc's, made up: what is live, what is free, and what happens when they
// change or lie.
#include <gmock/gmock.h>

#include "tests/unit/heap/allocator_images.h"
#include "userspace/memory/heap/heaps.h"
#include "userspace/memory/heap/jemalloc_caches.h"
#include "userspace/memory/heap/jemalloc_tree.h"

namespace dwell::testing {
namespace {

using memory::heap::Block;
using ::testing::Contains;
using ::testing::ElementsAreArray;
using ::testing::Not;

struct Seen {
  std::string name;
  std::vector<std::uint64_t> live, free;
};

Seen walk(const memory::heap::Target& target) {
  memory::heap::FoundHeaps found = memory::heap::find_heaps(target);
  if (found.heaps.empty()) return {};
  Seen seen{found.heaps[0]->name(), {}, {}};
  found.heaps[0]->walk([&](std::span<const Block> blocks) {
    for (const Block& block : blocks) {
      if (is_live(block.state)) seen.live.push_back(block.address);
      if (block.state == memory::heap::BlockState::kFree) seen.free.push_back(block.address);
    }
  });
  return seen;
}

struct Kind {
  const char* name;
  AllocatorImage (*make)();
  const char* version = "";
};

class MadeUp : public ::testing::TestWithParam<Kind> {};

TEST_P(MadeUp, ShowsWhatIsLiveAndWhatIsFree) {
  AllocatorImage image = GetParam().make();
  AllocatorTarget target(image);
  Seen seen = walk(target.target());
  EXPECT_EQ(seen.name, GetParam().name);
  std::ranges::sort(image.live);
  EXPECT_THAT(seen.live, ElementsAreArray(image.live));
  for (std::uint64_t free : image.free) EXPECT_THAT(seen.free, Contains(free));
}

// The kernel merges what is mapped right behind zeroed data with it.
TEST_P(MadeUp, IsFoundThoughOtherMemoryGoesOnBehindTheLibrary) {
  AllocatorImage image = GetParam().make();
  for (std::size_t i = 1; i < image.memory.mappings().size(); ++i) {
    Mapping& mapping = image.memory.mappings()[i];
    if (!mapping.is_file() && image.memory.mappings()[i - 1].is_file())
      mapping.end = mapping.start + (100 << 20);
  }
  AllocatorTarget target(image);
  EXPECT_EQ(walk(target.target()).name, GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    Allocators, MadeUp,
    ::testing::Values(Kind{"musl mallocng", musl_image}, Kind{"mimalloc 2", mimalloc_image},
                      Kind{"mimalloc 3", mimalloc_3_0_image, "30"},
                      Kind{"mimalloc 3", mimalloc_3_6_image, "36"},
                      Kind{"tcmalloc (gperftools)", tcmalloc_image}, Kind{"jemalloc 5.3", jemalloc_image},
                      Kind{"jemalloc 5.1 or 5.2", jemalloc_5_2_image, "52"},
                      Kind{"jemalloc 5.0", jemalloc_5_0_image, "50"},
                      Kind{"musl before 1.2.1", old_musl_image, "Old"}),
    [](const auto& kind) { return std::string(kind.param.name).substr(0, 4) + kind.param.version; });

// Programs without jemalloc have many pointers to large mappings that are all but empty: a JVM's.
TEST(Jemalloc, IsNotSearchedForInMemoryThatWasNeverTouched) {
  constexpr std::uint64_t kData = 0x7f0000100000, kSpace = 0x7f4000000000;
  MemoryImage image;
  image.map(kData, 0x1000, "/lib/libjvm.so", 7);
  image.map(kData + 0x1000, 0x300000);
  image.map(kSpace, std::uint64_t{4} << 30);
  for (std::uint64_t i = 0; i < 20'000; ++i) image.store(kData + 0x2000 + 8 * i, kSpace + 4096 * i);
  std::size_t reads = 0;
  ProcessMemory memory(
      1, [&](std::uint64_t at, void* to, std::size_t size) { return ++reads, image.read(at, to, size); });
  memory::heap::PageStates pages([&](std::uint64_t at) {
    return at < kSpace ? memory::heap::PageState::kPresent : memory::heap::PageState::kAbsent;
  });
  EXPECT_FALSE(memory::heap::find_jemalloc_root({memory, pages, image.mappings()}));
  EXPECT_LT(reads, 1000u);
}

std::size_t caches_in(MemoryImage& image, absl::flat_hash_set<std::uint64_t>* regions = nullptr,
                      const memory::heap::JemallocLayout& layout = memory::heap::kJemallocLayouts[0]) {
  ProcessMemory memory(
      1, [&](std::uint64_t at, void* to, std::size_t size) { return image.read(at, to, size); });
  memory::heap::PageStates pages([](std::uint64_t) { return memory::heap::PageState::kPresent; });
  memory::heap::JemallocCaches found =
      memory::heap::find_jemalloc_caches({memory, pages, image.mappings()}, layout);
  if (regions) *regions = found.regions;
  return found.caches;
}

// redis keeps pointers to 128 small objects in an array: at some addresses these look like a thread's cache,
// each third of them like the head of a stack of free blocks.
TEST(Jemalloc, AnArrayOfPointersIsNoThreadCache) {
  constexpr std::uint64_t kData = 0x7f0000100000, kObjects = 0x7f282d503000, kStacks = 0x7f282d700000;
  MemoryImage array;
  array.map(kData, 0x4000);
  array.map(kObjects, 0x4000);
  for (std::uint64_t i = 0; i < 128; ++i) array.store(kData + 0x100 + 8 * i, kObjects + 0x40 * i);
  EXPECT_EQ(caches_in(array), 0u);
  MemoryImage cache;
  cache.map(kData, 0x4000);
  cache.map(kStacks, 0x4000);
  for (std::uint64_t i = 0; i < 40; ++i) {  // of eight blocks each, two of which are free
    std::uint64_t full = 0x40 * i, empty = full + 0x40, at = kData + 0x100 + 24 * i;
    cache.store(at, kStacks + empty - 16);
    cache.store(at + 16, empty | full << 16 | empty << 32);
    cache.store(kStacks + empty - 16, kObjects + 16 * i);
    cache.store(kStacks + empty - 8, kObjects + 0x1000 + 16 * i);
  }
  absl::flat_hash_set<std::uint64_t> regions;
  EXPECT_EQ(caches_in(cache, &regions), 1u);
  EXPECT_EQ(regions.size(), 80u);
}

// A mapping behind a guard page is searched from both ends, in pieces that overlap.
TEST(Jemalloc, EachThreadCacheIsFoundOnce) {
  constexpr std::uint64_t kData = 0x7f0000100000, kPiece = 1 << 20, kSize = 3 * kPiece,
                          kStacks = 0x7f282d700000;
  // In the middle, within the last 256 KB, across the end of a piece, and in the part that two pieces have in
  // common.
  for (std::uint64_t begin : {kPiece / 2, kSize - 0x10000, kPiece - 0x180, kPiece + 0x1000}) {
    MemoryImage cache;
    cache.map(kData - 0x1000, 0x1000);
    cache.mappings().back().readable = cache.mappings().back().writable = false;
    cache.map(kData, kSize);
    cache.map(kStacks, 0x8000);
    for (std::uint64_t i = 0; i < 76; ++i) {
      std::uint64_t full = 0x40 * i, empty = full + 0x40, at = kData + begin + 24 * i;
      cache.store(at, kStacks + empty - 8);
      cache.store(at + 16, empty | full << 16 | empty << 32);
      cache.store(kStacks + empty - 8, kData + 16 * i);
    }
    absl::flat_hash_set<std::uint64_t> regions;
    EXPECT_EQ(caches_in(cache, &regions), 1u) << begin;
    EXPECT_EQ(regions.size(), 76u) << begin;
  }
}

// Since 5.3.1 a bin also says how many blocks fit: what does not agree with its stack is none.
TEST(Jemalloc, TheNewestCachesSayHowManyBlocksFit) {
  constexpr std::uint64_t kData = 0x7f0000100000, kStacks = 0x7f282d700000;
  for (std::uint64_t fit : {8, 9}) {
    MemoryImage cache;
    cache.map(kData, 0x4000);
    cache.map(kStacks, 0x4000);
    for (std::uint64_t i = 0; i < 40; ++i) {
      std::uint64_t full = 0x40 * i, empty = full + 0x40, at = kData + 0x100 + 24 * i;
      cache.store(at, kStacks + empty - 16);
      cache.store(at + 16, empty | full << 16 | empty << 32 | fit << 48);
    }
    EXPECT_EQ(caches_in(cache), fit == 8 ? 1u : 0u);
  }
}

// Before 5.3 a bin says how many blocks are in its stack, which ends where the next one's begins; those of
// large classes lie apart.
TEST(Jemalloc, OlderCachesCountTheirBlocks) {
  constexpr std::uint64_t kData = 0x7f0000100000, kObjects = 0x7f282d503000, kStacks = 0x7f282d700000,
                          kBetween = 12;
  MemoryImage cache;
  cache.map(kData, 0x4000);
  cache.map(kStacks, 0x4000);
  for (std::uint64_t i = 0; i < 41; ++i) {  // of eight blocks each, two of which are free
    std::uint64_t end = kStacks + 0x40 * (i + 1), at = kData + 0x100 + 24 * i + (i < 36 ? 0 : 8 * kBetween);
    cache.store(at, std::uint64_t{2} << 32 | 1);
    cache.store(at + 16, end);
    for (std::uint64_t n : {1, 2}) cache.store(end - 8 * n, kObjects + 16 * i + 0x1000 * n);
    cache.store(end - 24, kObjects + 8);  // was handed out
  }
  absl::flat_hash_set<std::uint64_t> regions;
  EXPECT_EQ(caches_in(cache, &regions, memory::heap::kJemallocLayouts[1]), 1u);
  EXPECT_EQ(regions.size(), 82u);
  EXPECT_FALSE(regions.contains(kObjects + 8));
}

// A block that was handed out is the program's: what it points to is no list of free blocks.
TEST(Mimalloc, DoesNotFollowAListThatIsLongerThanItSays) {
  AllocatorImage image = mimalloc_image();
  std::uint64_t last_free = image.free.back();
  image.memory.store(last_free, image.live[0]);
  AllocatorTarget target(image);
  Seen seen = walk(target.target());
  EXPECT_THAT(seen.live, Contains(image.live[0]));
  EXPECT_THAT(seen.free, Not(Contains(image.live[0])));
}

// Links that are encoded, by builds that are meant to be safe, cannot be followed: then nothing is claimed of
// any block.
TEST(Mimalloc, IsRefusedWhereItsLinksAreEncoded) {
  AllocatorImage image = mimalloc_3_6_image();
  for (std::uint64_t free : image.free) image.memory.store(free, 0x9e3779b97f4a7c15);
  AllocatorTarget target(image);
  memory::heap::FoundHeaps found = memory::heap::find_heaps(target.target());
  EXPECT_TRUE(found.heaps.empty());
  EXPECT_EQ(found.unread, "libmimalloc.so.3");
}

TEST(Tcmalloc, DoesNotFollowAListThatIsLongerThanItSays) {
  AllocatorImage image = tcmalloc_image();
  image.memory.store(image.free[1], image.live[0]);
  AllocatorTarget target(image);
  EXPECT_THAT(walk(target.target()).live, Contains(image.live[0]));
}

TEST(FoundHeaps, NameTheLibraryWhoseHeapCouldNotBeRead) {
  AllocatorImage image;
  image.memory.map(0x7f0000100000, 0x1000, "/lib/libjemalloc.so.1", 7);
  AllocatorTarget target(image);
  memory::heap::FoundHeaps found = memory::heap::find_heaps(target.target());
  EXPECT_EQ(found.unread, "libjemalloc.so.1");
  EXPECT_THAT(found.none, ::testing::HasSubstr("kept changing"));
}

}  // namespace
}  // namespace dwell::testing
