// SPDX-License-Identifier: Apache-2.0
// The parts that the memory of a process consists of. Together they are its RSS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::memory {

enum class Part : std::uint8_t {
  kLive,          // blocks that the program has
  kFree,          // free inside an allocator
  kMetadata,      // the allocators' own words
  kStacks,        // of threads
  kGenerated,     // anonymous and executable
  kData,          // of modules: written pages of their files, and the zeroed data behind those
  kFiles,         // code and file mappings
  kShared,        // shm, memfd, shared anonymous
  kJavaScript,    // V8's heap
  kGoHeap,        // of a Go program: spans with objects
  kGoStacks,      // and stacks of goroutines
  kGoIdle,        // of its heap: used for nothing, and not given back to the kernel
  kAnonymous,     // other anonymous mappings: the program's own, and those of runtimes and allocators that cannot be read
  kUnexplained,   // pages of heaps that no block covers, and what changed while it was read
  kParts,
};
constexpr std::size_t kParts = static_cast<std::size_t>(Part::kParts);

std::string_view name_of(Part part);  // "live blocks"; recordings store these
std::optional<Part> part_named(std::string_view name);

}  // namespace dwell::memory
