// SPDX-License-Identifier: Apache-2.0
// Memory of one process by the call site that touched it first, since the recording began: what a recording holds of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell::memory {

enum class TouchedKind : std::uint8_t {
  kAnonymous,   // mappings of the program's own, and of runtimes and allocators that cannot be read
  kHeap,        // of an allocator: what the call sites of its blocks tell, too
  kStacks,      // of threads
  kShared,      // shm, memfd, shared anonymous
  kGenerated,   // anonymous and executable
  kJavaScript,  // V8's heap
  kData,        // of modules
  kFiles,       // page cache: the kernel drops it first
  kKinds,
};
constexpr std::size_t kTouchedKinds = static_cast<std::size_t>(TouchedKind::kKinds);
std::string_view name_of(TouchedKind kind);  // "anonymous mappings"; recordings store these
std::optional<TouchedKind> touched_kind_named(std::string_view name);

struct TouchedSite {
  StackId stack = StackId::kUnknown;
  TouchedKind kind = TouchedKind::kKinds;  // kKinds: nothing of it is in memory any more
  std::uint64_t faults = 0;      // since the recording began, of what was given back too; in one row of the stack only
  std::uint64_t resident = 0;    // bytes that are still in memory
  std::uint64_t grown = 0;       // of those: where there was no page in memory when the recording began
  std::uint64_t error = 0;       // of `resident`: one standard error, in bytes; 0: exact
  bool operator==(const TouchedSite&) const = default;
};

struct TouchedMemory {
  std::uint64_t time_ns = 0;     // of the last look at the pages; 0: there was none, and only faults are known
  std::uint64_t weight = 1;      // one page in so many was followed, for some of the time at least
  std::vector<TouchedSite> sites;
  std::array<std::uint64_t, kTouchedKinds> unseen{};  // bytes that came without a fault that was seen
  bool operator==(const TouchedMemory&) const = default;
};

}  // namespace dwell::memory
