// SPDX-License-Identifier: Apache-2.0
// Memory of processes that use other allocators than glibc's, made up: a few blocks each, some of them free.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::testing {

// Mapped memory that is zero where nothing was stored.
class MemoryImage {
 public:
  // `inode` 0: no file.
  void map(std::uint64_t start, std::uint64_t size, const std::string& path = "", std::uint64_t inode = 0);
  void store(std::uint64_t address, std::uint64_t word) { put(address, &word, sizeof word); }
  void store32(std::uint64_t address, std::uint32_t word) { put(address, &word, sizeof word); }
  void store16(std::uint64_t address, std::uint16_t word) { put(address, &word, sizeof word); }
  void store8(std::uint64_t address, std::uint8_t byte) { put(address, &byte, sizeof byte); }
  std::uint64_t load(std::uint64_t address) const;
  std::size_t read(std::uint64_t address, void* to, std::size_t size) const;
  std::vector<Mapping>& mappings() { return mappings_; }

 private:
  void put(std::uint64_t address, const void* from, std::size_t size);
  std::vector<Mapping> mappings_;
  std::map<std::uint64_t, std::array<char, 4096>> pages_;
};

struct AllocatorImage {
  MemoryImage memory;
  std::vector<std::uint64_t> live, free;  // blocks
  std::vector<std::uint64_t> structures;  // where a fuzzer's changes may hurt
};

AllocatorImage musl_image();
AllocatorImage mimalloc_image();
AllocatorImage mimalloc_3_0_image();
AllocatorImage mimalloc_3_6_image();
AllocatorImage tcmalloc_image();
AllocatorImage jemalloc_image();
AllocatorImage jemalloc_5_2_image();
AllocatorImage jemalloc_5_0_image();
AllocatorImage old_musl_image();

class AllocatorTarget {
 public:
  explicit AllocatorTarget(AllocatorImage& image)
      : memory_(1, [&image](std::uint64_t at, void* to,
                            std::size_t size) { return image.memory.read(at, to, size); }),
        pages_([](std::uint64_t) { return memory::heap::PageState::kPresent; }),
        target_{memory_, pages_, image.memory.mappings()} {}
  const memory::heap::Target& target() const { return target_; }

 private:
  ProcessMemory memory_;
  memory::heap::PageStates pages_;
  memory::heap::Target target_;
};

}  // namespace dwell::testing
