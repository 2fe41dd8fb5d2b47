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
#include "userspace/go/runtime/runtime.h"
#include "userspace/go/heap/arenas.h"
#include "userspace/go/heap/type_masks.h"

namespace dwell {

// How the runtime notes which words of a span's objects are pointers.
enum class PointerNotes : std::uint8_t {
  kNone,     // any word may be one
  kBits,     // a bit for each word
  kTwoBits,  // and one that tells whether more follow; four words to a byte
  kHeader,   // the type stands before each object
  kOneType,  // the type of the only object stands in the span
};

struct GoSpan {
  std::uint64_t start = 0, pages = 0;
  std::uint64_t element_size = 0, elements = 0;
  std::uint64_t first_object = 0;  // number of its first object
  std::uint64_t specials = 0;      // what the runtime has noted of its objects
  const char* bytes = nullptr;     // null: no pointers in it
  PointerNotes notes = PointerNotes::kNone;
  bool type_in_span = false;   // it has a single large object
  bool tiny = false;           // its objects hold several small values each, without pointers
  std::uint64_t type = 0;      // of that
  const char* bits = nullptr;  // from its first word on
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
  // Hands over each word of the object that is a pointer, and the word that lies before it.
  template <typename Visitor>
  void visit_pointers(const GoObject& object, Visitor&& visit);
  // The same by number: which words of its contents are pointers.
  template <typename Visitor>
  void visit_places(const GoObject& object, Visitor&& visit);
  std::span<const GoSpan> spans() const { return spans_; }
  std::uint64_t objects() const { return objects_; }
  std::uint64_t copied_bytes() const { return copied_; }

 private:
  static constexpr std::uint64_t kPage = kGoPage, kArena = kGoArenaSize;
  static constexpr std::uint32_t kNoSpan = ~0u;
  struct Arena {
    std::uint64_t record = 0;  // where its runtime.heapArena is
    std::vector<std::uint32_t> span_of_page;
  };

  Result<void> read_spans(const GoRuntime& runtime);
  void read_spans_of(const GoRuntime& runtime, const GoArena& of);
  void read_notes(const GoRuntime& runtime);
  Result<void> copy_contents(const GoRuntime& runtime, std::uint64_t limit);

  absl::flat_hash_map<std::uint64_t, Arena> arenas_;  // by address / kArena
  std::vector<GoSpan> spans_;
  std::vector<bool> scannable_;
  std::vector<std::unique_ptr<char[]>> buffers_;
  std::optional<TypeMasks> masks_;
  std::uint64_t objects_ = 0, copied_ = 0;
};

template <typename Visitor>
void GoHeap::visit_pointers(const GoObject& object, Visitor&& visit) {
  std::string_view bytes = contents(object);
  visit_places(object, [&](std::uint64_t i) {
    visit(field_of<std::uint64_t>(bytes, i * 8), i ? field_of<std::uint64_t>(bytes, i * 8 - 8) : 0);
  });
}

template <typename Visitor>
void GoHeap::visit_places(const GoObject& object, Visitor&& hand_over) {
  const GoSpan& span = spans_[object.span];
  std::string_view bytes = contents(object);
  if (bytes.empty()) return;
  std::uint64_t first = static_cast<std::uint64_t>(bytes.data() - span.bytes) / 8, words = bytes.size() / 8;
  if (span.notes == PointerNotes::kBits) {
    for (std::uint64_t i = 0; i < words; ++i) {
      if (span.bits[(first + i) / 8] >> ((first + i) % 8) & 1) hand_over(i);
    }
    return;
  }
  if (span.notes == PointerNotes::kTwoBits) {
    constexpr int kMore = 4;
    for (std::uint64_t i = 0; i < words; ++i) {
      int bits = span.bits[(first + i) / 4] >> ((first + i) % 4);
      if (!(bits >> kMore & 1)) return;
      if (bits & 1) hand_over(i);
    }
    return;
  }
  bool has_header = span.notes == PointerNotes::kHeader;
  std::uint64_t type = has_header ? field_of<std::uint64_t>(bytes, 0) : span.type;
  static const TypeMask kAny;
  const TypeMask& mask = span.notes == PointerNotes::kNone ? kAny : masks_->of(type);
  std::uint64_t each = mask.size / 8;
  for (std::uint64_t i = has_header ? 1 : 0, of_value = 0; i < words; ++i) {
    if (!mask.known || mask.is_pointer(of_value)) hand_over(i);
    if (++of_value == each) of_value = 0;
  }
}

}  // namespace dwell
