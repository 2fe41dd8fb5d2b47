// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/short_life.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace dwell {
namespace {

constexpr int kHeapBytes = 256 << 20;  // address space; what is not touched costs nothing
constexpr std::uintptr_t kLargePage = 2 << 20;

}  // namespace

void prepare_for_short_life() {
  ::mallopt(M_MMAP_THRESHOLD, kHeapBytes);
  ::mallopt(M_TRIM_THRESHOLD, kHeapBytes);
  ::mallopt(M_TOP_PAD, kHeapBytes);
  auto begin = (reinterpret_cast<std::uintptr_t>(::sbrk(0)) + kLargePage - 1) & ~(kLargePage - 1);
  void* volatile block = std::malloc(kLargePage);  // the heap grows by all of that now; volatile: do it
  std::free(block);
  auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  // Where the kernel has no large pages to give, all goes on with small ones.
  if (end > begin) (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace dwell
