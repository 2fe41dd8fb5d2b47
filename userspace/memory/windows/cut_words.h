// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "userspace/memory/windows/look.h"

namespace dwell::memory::windows {

// What lies behind the end of a short block says nothing of it.
inline Words cut_words(Words words, std::uint64_t size) {
  for (std::size_t i = 0; i < kWords; ++i) {
    std::uint64_t from = 8 * i;
    if (size >= from + 8) continue;
    words[i] = size <= from ? 0 : words[i] & ((std::uint64_t{1} << 8 * (size - from)) - 1);
  }
  return words;
}

}  // namespace dwell::memory::windows
