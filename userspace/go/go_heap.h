// SPDX-License-Identifier: Apache-2.0
// GoHeap: the heap of a Go program at one moment: which objects there are, and the contents of those that can
// hold pointers, copied at once so that what follows is about one moment as nearly as can be without stopping
// anything.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/go_runtime.h"

namespace dwell {

struct GoSpan {
  std::uint64_t start = 0, pages = 0;
  std::uint64_t element_size = 0, elements = 0;
  std::uint64_t first_object = 0;  // number of its first object
  std::uint64_t specials = 0;      // what the runtime has noted of its objects
  const char* bytes = nullptr;     // null: no pointers in it
};

struct GoObject {
  std::uint32_t span = 0;
  std::uint64_t number = 0;  // over the whole heap
};

class GoHeap {
 public:
  // Refused if it is larger than `limit`, or where the layout of this version's heap is not known.
  static Result<GoHeap> copy(const GoRuntime& runtime, std::uint64_t limit);

  // The object that this address points to or into; none if it is no address of the heap.
  std::optional<GoObject> object_at(std::uint64_t address) const;
  std::string_view contents(const GoObject& object) const;  // empty if it has no pointers
  std::span<const GoSpan> spans() const { return spans_; }
  std::uint64_t objects() const { return objects_; }
  std::uint64_t copied_bytes() const { return copied_; }

 private:
  static constexpr std::uint64_t kPage = 8192, kArena = std::uint64_t{64} << 20;
  static constexpr std::uint32_t kNoSpan = ~0u;
  struct Arena {
    std::vector<std::uint32_t> span_of_page;
  };

  Result<void> read_arenas(const GoRuntime& runtime);
  void read_spans(const GoRuntime& runtime, std::uint64_t base, std::uint64_t spans_at);
  Result<void> copy_contents(const GoRuntime& runtime, std::uint64_t limit);

  absl::flat_hash_map<std::uint64_t, Arena> arenas_;  // by address / kArena
  std::vector<GoSpan> spans_;
  std::vector<bool> scannable_;
  std::vector<std::unique_ptr<char[]>> buffers_;
  std::uint64_t objects_ = 0, copied_ = 0;
};

}  // namespace dwell
