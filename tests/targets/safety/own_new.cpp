// SPDX-License-Identifier: Apache-2.0
// A program whose own operator new hands out pieces of a pool, and throws when a budget is used up. No other
// allocation function returns its blocks.
#include <cstddef>
#include <new>
#include <vector>

#include "cases.h"

namespace {

constexpr std::size_t kPool = 1 << 20, kBudget = 100'000;
alignas(64) char pool[kPool];
std::size_t used, given;

void* take(std::size_t size, std::size_t alignment) {
  if (given + size > kBudget) throw std::bad_alloc();
  std::size_t at = (used + alignment - 1) / alignment * alignment;
  if (at + size > kPool) at = 0;
  used = at + size;
  given += size;
  return pool + at;
}

struct alignas(64) Line {
  char bytes[64];
};

template <typename T>
const char* until_it_throws(int expected) {
  given = 0;
  int blocks = 0;
  try {
    for (;;) {
      keep(new T);
      ++blocks;
    }
  } catch (const std::bad_alloc&) {
  }
  return blocks == expected ? "threw in time" : "threw at another time";
}

const char* plain() { return until_it_throws<char[100]>(1000); }
const char* aligned() { return until_it_throws<Line>(1562); }
const char* containers() {
  given = 0;
  std::vector<int> numbers;
  try {
    for (int i = 0;; ++i) numbers.push_back(i);
  } catch (const std::bad_alloc&) {
    return numbers.size() == 8192 ? "threw in time" : "threw at another time";
  }
}

const safety_case kCases[] = {{"plain", plain}, {"aligned", aligned}, {"containers", containers}};

}  // namespace

void* operator new(std::size_t size) { return take(size, 16); }
void* operator new[](std::size_t size) { return take(size, 16); }
void* operator new(std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void operator delete(void*) noexcept {}
void operator delete[](void*) noexcept {}
void operator delete(void*, std::size_t) noexcept {}
void operator delete[](void*, std::size_t) noexcept {}
void operator delete(void*, std::align_val_t) noexcept {}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {}

int main(int argc, char** argv) { return RUN_CASES(argc, argv, kCases); }
