// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/heap/allocator_images.h"

#include <algorithm>
#include <bit>

#include "userspace/memory/heap/jemalloc_tree.h"

namespace dwell::testing {
namespace {

constexpr std::uint64_t kData = 0x7f0000100000, kInode = 7;

}  // namespace

void MemoryImage::map(std::uint64_t start, std::uint64_t size, const std::string& path, std::uint64_t inode) {
  Mapping made{};
  made.start = start, made.end = start + size;
  made.readable = made.writable = true;
  made.path = path, made.inode = inode;
  mappings_.insert(std::ranges::upper_bound(mappings_, start, {}, &Mapping::start), made);
}

void MemoryImage::put(std::uint64_t address, const void* from, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    pages_[(address + i) & ~std::uint64_t{4095}][(address + i) % 4096] = static_cast<const char*>(from)[i];
}

std::uint64_t MemoryImage::load(std::uint64_t address) const {
  std::uint64_t word = 0;
  read(address, &word, sizeof word);
  return word;
}

std::size_t MemoryImage::read(std::uint64_t address, void* to, std::size_t size) const {
  std::size_t done = 0;
  while (done < size) {
    std::uint64_t at = address + done;
    auto mapping = std::ranges::upper_bound(mappings_, at, {}, &Mapping::end);
    if (mapping == mappings_.end() || mapping->start > at) return done;
    std::size_t count = std::min<std::uint64_t>({size - done, 4096 - at % 4096, mapping->end - at});
    auto page = pages_.find(at & ~std::uint64_t{4095});
    char* out = static_cast<char*>(to) + done;
    if (page == pages_.end()) {
      std::memset(out, 0, count);
    } else {
      std::memcpy(out, page->second.data() + at % 4096, count);
    }
    done += count;
  }
  return done;
}

// A group of 15 slots of 64 bytes with a page of its own; its slot 4 holds a group of three slots of 16
// bytes.
AllocatorImage musl_image() {
  constexpr std::uint64_t kContext = kData + 0x100, kArea = 0x7f0000400000, kGroup = 0x7f0000500000,
                          kSecret = 0x1234567890abcdef;
  AllocatorImage image;
  MemoryImage& memory = image.memory;
  memory.map(kData, 0x2000, "/lib/ld-musl-x86_64.so.1", kInode);
  memory.map(kArea, 0x1000);
  memory.map(kGroup, 0x1000);
  memory.store(kContext, kSecret);
  memory.store32(kContext + 8, 1);
  memory.store(kContext + 56, kArea);
  memory.store(kContext + 64, kArea);
  memory.store(kContext + 464 + 3 * 8, 15);  // of class 3
  memory.store(kContext + 464, 3);           // of class 0
  memory.store(kArea, kSecret);
  memory.store32(kArea + 16, 101);
  auto meta = [&](int index, std::uint64_t group, std::uint32_t freed, std::uint64_t bits) {
    std::uint64_t at = kArea + 24 + static_cast<std::uint64_t>(index) * 40;
    memory.store(at + 16, group);
    memory.store32(at + 28, freed);
    memory.store(at + 32, bits | 1 << 5);
    memory.store(group, at);
  };
  meta(0, kGroup, 1 << 2, 14 | 3 << 6 | 1 << 12);
  std::uint64_t nested = kGroup + 16 + 4 * 64;
  meta(1, nested, 1 << 1, 2 | 0 << 6);
  auto header = [&](std::uint64_t block, int slot, int reserved) {
    memory.store8(block - 3, static_cast<std::uint8_t>(slot | reserved << 5));
  };
  for (int slot = 0; slot < 15; ++slot) {
    std::uint64_t block = kGroup + 16 + static_cast<std::uint64_t>(slot) * 64;
    if (slot != 4) header(block, slot, 0);
    if (slot != 4) (slot == 2 ? image.free : image.live).push_back(block);
  }
  for (int slot = 0; slot < 3; ++slot) {
    std::uint64_t block = nested + 16 + static_cast<std::uint64_t>(slot) * 16;
    header(block, slot, 0);
    (slot == 1 ? image.free : image.live).push_back(block);
  }
  image.structures = {kContext, kArea, kArea + 24, kGroup, nested};
  return image;
}

// A segment with one page of 20 blocks of 64 bytes, of which two are free.
AllocatorImage mimalloc_image() {
  constexpr std::uint64_t kSegment = 0x7f0002000000, kRecords = kSegment + 264, kRecord = 80;
  AllocatorImage image;
  MemoryImage& memory = image.memory;
  memory.map(kSegment, 32 << 20);
  for (auto [offset, word] : {std::pair{224, 512}, {232, 1}, {240, 0}, {248, 512}, {256, 0x1230}})
    memory.store(kSegment + static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(word));
  memory.store32(kRecords, 1);
  std::uint64_t page = kRecords + kRecord, first = kSegment + 0x10000 + 384;
  memory.store32(page, 1);
  memory.store16(page + 10, 20);
  memory.store16(page + 12, (0x10000 - 384) / 64);
  memory.store(page + 16, first + 5 * 64);
  memory.store32(page + 24, 18);
  memory.store32(page + 28, 64);
  memory.store(first + 5 * 64, first + 9 * 64);
  memory.store32(page + kRecord, 510);
  for (std::uint64_t block = 0; block < 20; ++block)
    (block == 5 || block == 9 ? image.free : image.live).push_back(first + block * 64);
  image.structures = {kSegment + 200, kRecords, page, page + kRecord, first + 5 * 64};
  return image;
}

// A page of 20 blocks of 64 bytes, of which two are free, and one of eight slices for one large block.
struct MappedRecord {
  std::uint64_t head, free, local_free, used, capacity, reserved, block_size, start, arena;
  bool start_is_address;
};
AllocatorImage mimalloc_3_image(const MappedRecord& field) {
  constexpr std::uint64_t kMap = 0x7f0010000000, kPart = 0x7f0020000000, kArena = 0x48f70000000,
                          kSlice = 0x10000;
  constexpr std::uint64_t kSmall = kArena + 11 * kSlice, kLarge = kArena + 12 * kSlice;
  AllocatorImage image;
  MemoryImage& memory = image.memory;
  memory.map(kData, 0x1000, "/lib/libmimalloc.so.3", kInode);
  memory.map(kMap, 0x240000);
  memory.map(kPart, 0x10000);
  memory.map(kArena, 0x40000000);
  memory.store(kData + 0x200, kMap);
  std::uint64_t words = kMap + field.head, behind = (words + 0x200000 + 4095) & ~std::uint64_t{4095};
  memory.store(words, behind);
  memory.store(words + 8 * (kArena >> 29), kPart);
  auto page = [&](std::uint64_t at, std::uint64_t slices, std::uint64_t size, std::uint64_t start,
                  std::uint16_t used, std::uint16_t capacity) {
    for (std::uint64_t i = 0; i < slices; ++i) memory.store(kPart + 8 * ((at >> 16) % 8192 + i), at);
    memory.store(at + field.block_size, size);
    memory.store(at + field.start, field.start_is_address ? at + start : start);
    memory.store16(at + field.used, used);
    memory.store16(at + field.capacity, capacity);
    memory.store16(at + field.reserved, capacity);
    memory.store(at + field.arena, kArena + 0x80000);
    memory.store32(at + field.arena + 8, static_cast<std::uint32_t>((at - kArena) / kSlice));
    memory.store32(at + field.arena + 12, static_cast<std::uint32_t>(slices));
  };
  page(kSmall, 1, 64, 256, 18, 20);
  page(kLarge, 8, 0x70000, 512, 1, 1);
  std::uint64_t first = kSmall + 256;
  memory.store(kSmall + field.free, first + 5 * 64);
  memory.store(kSmall + field.local_free, first + 9 * 64);
  for (std::uint64_t block = 0; block < 20; ++block)
    (block == 5 || block == 9 ? image.free : image.live).push_back(first + block * 64);
  image.live.push_back(kLarge + 512);
  image.structures = {words,
                      words + 8 * (kArena >> 29),
                      kPart + 8 * ((kSmall >> 16) % 8192),
                      kSmall,
                      kSmall + field.block_size,
                      kSmall + field.used,
                      kSmall + field.arena + 8,
                      first + 5 * 64};
  return image;
}
AllocatorImage mimalloc_3_0_image() { return mimalloc_3_image({0, 8, 24, 16, 18, 20, 40, 48, 96, true}); }
AllocatorImage mimalloc_3_6_image() { return mimalloc_3_image({80, 16, 24, 40, 56, 58, 32, 48, 104, false}); }

// A span of 16 objects of 512 bytes, of which two are free, one with 1024 pages for one block, and one that
// is free.
AllocatorImage tcmalloc_image() {
  constexpr std::uint64_t kZeroed = kData + 0x1000, kRoot = kZeroed + 0x1000, kLeaf = 0x7f0010000000,
                          kSpans = kLeaf + (2 << 20), kHeap = 0x7f0020000000;
  AllocatorImage image;
  MemoryImage& memory = image.memory;
  memory.map(kData, 0x1000, "/lib/libtcmalloc_minimal.so.4", kInode);
  memory.map(kZeroed, 0x200000);
  memory.map(kLeaf, 3 << 20);
  memory.map(kHeap, 16 << 20);
  std::uint32_t size = 0;
  for (std::uint64_t i = 1; i < 50; ++i) {
    size = i < 49 ? size + (i < 40 ? 16 : 4096) : 256 << 10;
    memory.store32(kZeroed + 16 + 4 * i, size);
  }
  memory.store(kRoot + 8 * (kHeap >> 31), kLeaf);
  auto span = [&](int index, std::uint64_t first, std::uint64_t pages, std::uint64_t objects,
                  std::uint32_t bits) {
    std::uint64_t at = kSpans + static_cast<std::uint64_t>(index) * 48, page = kHeap / 8192 + first;
    memory.store(at, page);
    memory.store(at + 8, pages);
    memory.store(at + 32, objects);
    memory.store32(at + 40, bits);
    for (std::uint64_t each : {page, page + pages - 1}) memory.store(kLeaf + 8 * (each % (1 << 18)), at);
  };
  span(0, 0, 1, kHeap + 3 * 512, 14 | 32 << 16);
  memory.store(kHeap + 3 * 512, kHeap + 7 * 512);
  span(1, 1, 1024, 0, 1);
  span(2, 1025, 7, 0, 1 << 24);
  for (std::uint64_t i = 0; i < 16; ++i)
    (i == 3 || i == 7 ? image.free : image.live).push_back(kHeap + i * 512);
  image.live.push_back(kHeap + 8192);
  image.free.push_back(kHeap + 1025 * 8192);
  image.structures = {kRoot + 8 * (kHeap >> 31),
                      kLeaf + 8 * (kHeap / 8192 % (1 << 18)),
                      kSpans,
                      kSpans + 48,
                      kHeap + 3 * 512,
                      kZeroed + 16};
  return image;
}

// A slab of 64 regions of 64 bytes of which three are free, and eight extents with one block each.
AllocatorImage jemalloc_image_of(const memory::heap::JemallocLayout& layout) {
  constexpr std::uint64_t kZeroed = kData + 0x1000, kRoot = kZeroed + 0x1000, kLeaf = 0x7f0010000000,
                          kRecords = kLeaf + (2 << 20), kHeap = 0x7f0020000000;
  AllocatorImage image;
  MemoryImage& memory = image.memory;
  memory.map(kData, 0x1000, "/lib/libjemalloc.so.2", kInode);
  memory.map(kZeroed, 0x300000);
  memory.map(kLeaf, 4 << 20);
  memory.map(kHeap, 16 << 20);
  memory.store(kRoot + 8 * (kHeap >> 30), kLeaf);
  std::uint64_t at = kHeap;
  auto extent = [&](std::uint64_t index, std::uint64_t size, std::uint64_t size_class, bool slab,
                    std::uint64_t free) {
    std::uint64_t record = kRecords + index * 128;
    memory.store(record, std::uint64_t{slab} << 12 | size_class << layout.size_class |
                             static_cast<std::uint64_t>(std::popcount(free)) << layout.regions_free);
    memory.store(record + 8, at);
    memory.store(record + 16, size);
    if (slab) memory.store(record + 64, free);
    for (std::uint64_t page : {at, at + size - 4096})
      memory.store(kLeaf + 8 * (page / 4096 % (1 << 18)), size_class << 48 | record | std::uint64_t{slab});
    at += size;
  };
  extent(0, 4096, 4, true, 0b1010100);
  for (std::uint64_t i = 0; i < 64; ++i)
    (std::uint64_t{0b1010100} >> i & 1 ? image.free : image.live).push_back(kHeap + i * 64);
  for (std::uint64_t i = 1; i < 9; ++i) {
    image.live.push_back(at);
    extent(i, 16384, 36, false, 0);
  }
  image.structures = {kRoot + 8 * (kHeap >> 30), kLeaf + 8 * (kHeap / 4096 % (1 << 18)), kRecords,
                      kRecords + 128};
  return image;
}

AllocatorImage jemalloc_image() { return jemalloc_image_of(memory::heap::kJemallocLayouts[0]); }
AllocatorImage jemalloc_5_2_image() { return jemalloc_image_of(memory::heap::kJemallocLayouts[1]); }
AllocatorImage jemalloc_5_0_image() { return jemalloc_image_of(memory::heap::kJemallocLayouts[2]); }

// An area with six chunks of 64 bytes, two of which are free, a gap behind the data of a module with two
// chunks, and a block with a mapping of its own.
AllocatorImage old_musl_image() {
  constexpr std::uint64_t kBins = kData + 0x200, kHeap = 0x7f0000400000, kMapped = 0x7f0000500000;
  AllocatorImage image;
  MemoryImage& memory = image.memory;
  memory.map(kData, 0x3000, "/lib/ld-musl-x86_64.so.1", kInode);
  memory.map(kHeap, 0x1000);
  memory.map(kMapped, 0x40000);
  for (std::uint64_t bin = 0; bin < 40; ++bin) {
    std::uint64_t first = kBins + 8 + 24 * bin + 8;
    for (std::uint64_t at : {first, first + 8}) memory.store(at, first - 16);
  }
  auto chunks = [&](std::uint64_t at, std::uint64_t size, std::uint64_t count, std::uint64_t free) {
    std::uint64_t before = 1;
    for (std::uint64_t i = 0; i < count; ++i, at += size) {
      std::uint64_t self = size | !(free >> i & 1);
      memory.store(at, before), memory.store(at + 8, self);
      (free >> i & 1 ? image.free : image.live).push_back(at + 16);
      before = self;
    }
    memory.store(at, before), memory.store(at + 8, 1);
  };
  chunks(kHeap + 16, 64, 6, 0b010100);
  chunks(kData + 0x3000 - 16 - 64, 32, 2, 0);
  memory.store(kMapped + 16, 16), memory.store(kMapped + 24, 0x40000 - 16);
  image.live.push_back(kMapped + 32);
  std::uint64_t free = kHeap + 16 + 2 * 64, other = kHeap + 16 + 4 * 64, bin = kBins + 8 + 24 + 8;
  memory.store(kBins, 2), memory.store(bin, free), memory.store(bin + 8, other);
  image.structures = {kBins, bin, kHeap + 16, kHeap + 24, kHeap + 16 + 64, kMapped + 16, kData + 0x3000 - 16};
  return image;
}

}  // namespace dwell::testing
