// SPDX-License-Identifier: Apache-2.0
// glibc's mp_: where the main heap begins, and how many chunks are mappings of their own. Found beside main_arena.
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct GlibcParameters {
  std::uint64_t sbrk_base = 0;
  std::uint64_t mapped_chunks = 0, mapped_bytes = 0;
  std::uint64_t address_of_sbrk_base = 0;
};

// `brk` is where the heap of brk lies. None: there is none, or mp_ is not as in 2.17 to 2.43.
std::optional<GlibcParameters> find_glibc_parameters(const ProcessMemory& memory, const Range& data, const Range& brk);

}  // namespace dwell::memory::heap
