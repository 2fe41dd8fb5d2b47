// SPDX-License-Identifier: Apache-2.0
// The memory of a process that uses glibc's malloc, made up: libc's data with main_arena and mp_, and a heap of brk.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::testing {

constexpr std::uint64_t kImageData = 0x7f0000100000, kImageHeap = 0x555500000000, kImageMapped = 0x7f0000200000;
constexpr std::uint64_t kImageKey = 0x9d3c5b7f1e2a4c68;

class GlibcImage {
 public:
  // `bins`: where they are in malloc_state.
  explicit GlibcImage(std::uint64_t bins = 112);

  // Each returns what malloc would: the block.
  std::uint64_t live(std::uint64_t size) { return chunk(size, true, 0x1111); }
  std::uint64_t free(std::uint64_t size) { return chunk(size, false, 0); }
  std::uint64_t cached(std::uint64_t size) { return chunk(size, true, kImageKey); }
  std::uint64_t fast(std::uint64_t size);  // on the fastbin of its size
  // The thread's cache itself, with these blocks at the heads of its lists.
  std::uint64_t cache(const std::vector<std::uint64_t>& blocks, const std::vector<std::uint64_t>& sizes);
  std::uint64_t mapped(std::uint64_t size);  // a whole number of pages
  void fencepost();
  void skip(std::uint64_t bytes);  // what the program took of brk itself
  void finish(std::uint64_t top_size = 0x1000);  // puts the top behind

  void store(std::uint64_t address, std::uint64_t word);
  std::uint64_t load(std::uint64_t address) const;
  std::size_t read(std::uint64_t address, void* to, std::size_t size) const;

  std::uint64_t next_chunk() const { return next_; }
  const std::vector<Mapping>& mappings() const { return mappings_; }
  std::uint64_t arena() const { return kImageData + 0x100; }

 private:
  std::uint64_t chunk(std::uint64_t size, bool in_use, std::uint64_t word1);
  const char* place(std::uint64_t address, std::size_t& left) const;

  std::uint64_t bins_;
  std::vector<char> data_, heap_, mapped_;
  std::vector<Mapping> mappings_;
  std::uint64_t next_ = kImageHeap, next_mapped_ = kImageMapped;
  bool previous_in_use_ = true;
  std::uint64_t previous_size_ = 0, mapped_chunks_ = 0, mapped_bytes_ = 0;
};

// What is needed to look at an image.
class ImageTarget {
 public:
  explicit ImageTarget(const GlibcImage& image)
      : memory_(1, [&image](std::uint64_t address, void* to, std::size_t size) { return image.read(address, to, size); }),
        pages_([](std::uint64_t) { return memory::heap::PageState::kPresent; }),
        target_{memory_, pages_, image.mappings()} {}
  const memory::heap::Target& target() const { return target_; }

 private:
  ProcessMemory memory_;
  memory::heap::PageStates pages_;
  memory::heap::Target target_;
};

}  // namespace dwell::testing
