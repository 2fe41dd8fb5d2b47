// SPDX-License-Identifier: Apache-2.0
// The arenas of a Go program's heap, 64 MB of addresses each, and the runtime's records of the spans in them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

inline constexpr std::uint64_t kGoPage = 8192, kGoArenaSize = std::uint64_t{64} << 20, kGoArenaPages = kGoArenaSize / kGoPage;
inline constexpr std::uint64_t kMostGoArenas = 1 << 14;  // a terabyte

struct GoArena {
  std::uint64_t base = 0;    // its first address
  std::uint64_t record = 0;  // where its runtime.heapArena is
};

// In ascending order. Refused where the layout of this version's heap is not known.
Result<std::vector<GoArena>> read_arenas(const GoRuntime& runtime);

// What the runtime keeps of one span, for the first page that names it.
struct GoSpanBytes {
  std::size_t page = 0;  // of the arena
  std::string_view bytes;
};
class GoSpanRecords {
 public:
  static constexpr std::size_t kSpanSize = 168;  // runtime.mspan: as much of it as is read
  auto begin() const { return spans_.begin(); }
  auto end() const { return spans_.end(); }

 private:
  friend GoSpanRecords read_span_bytes(const GoRuntime& runtime, const GoArena& arena);
  std::unique_ptr<char[]> memory_;
  std::vector<GoSpanBytes> spans_;
};
// Those that can be read, by page; none if the arena is gone.
GoSpanRecords read_span_bytes(const GoRuntime& runtime, const GoArena& arena);

}  // namespace dwell
