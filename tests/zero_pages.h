// SPDX-License-Identifier: Apache-2.0
// Whether this kernel shows one page of zeros everywhere until something is written. Some give each reader a page of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "userspace/base/unique_fd.h"

namespace dwell::testing {

// Root's to ask: numbers of frames are hidden from others.
inline bool kernel_shares_zeros() {
  constexpr std::size_t kPage = 4096;
  void* memory = ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* bytes = static_cast<volatile const char*>(memory);
  EXPECT_EQ(bytes[0] + bytes[kPage], 0);
  std::uint64_t entries[2] = {};
  UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(memory) / kPage * sizeof entries[0]);
  EXPECT_EQ(::pread(pagemap.get(), entries, sizeof entries, offset), static_cast<ssize_t>(sizeof entries));
  ::munmap(memory, 2 * kPage);
  return entries[0] == entries[1];
}

}  // namespace dwell::testing
