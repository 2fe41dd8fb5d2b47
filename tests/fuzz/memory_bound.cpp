// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/memory_bound.h"

#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> taken{0}, highest{0};

void* take(std::size_t size, std::size_t alignment) {
  void* block = alignment ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                          : std::malloc(size ? size : 1);
  if (!block) std::abort();
  std::size_t now = taken += ::malloc_usable_size(block);
  if (now > highest) highest = now;
  return block;
}

void give_back(void* block) {
  if (!block) return;
  taken -= ::malloc_usable_size(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return take(size, 0); }
void* operator new[](std::size_t size) { return take(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size, 0); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size, 0); }
void operator delete(void* block) noexcept { give_back(block); }
void operator delete[](void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }
void operator delete[](void* block, std::size_t) noexcept { give_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { give_back(block); }
void operator delete[](void* block, std::align_val_t) noexcept { give_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { give_back(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { give_back(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { give_back(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { give_back(block); }

namespace dwell::testing {

MemoryBound::MemoryBound(std::size_t input, std::size_t fixed, std::size_t for_each_byte)
    : before_(taken), most_(fixed + input * for_each_byte) {
  highest = before_;
}

MemoryBound::~MemoryBound() {
  std::size_t used = highest - before_;
  if (used <= most_) return;
  std::fprintf(stderr, "%zu bytes were taken, of at most %zu for this input\n", used, most_);
  std::abort();
}

}  // namespace dwell::testing
