// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/heap.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMostObjects = std::uint64_t{1} << 33;

}  // namespace

Result<GoHeap> GoHeap::copy(const GoRuntime& runtime, std::uint64_t limit) {
  GoHeap heap;
  if (Result<void> read = heap.read_spans(runtime); !read) return read.error();
  if (Result<void> copied = heap.copy_contents(runtime, limit); !copied) return copied.error();
  heap.read_notes(runtime);
  return heap;
}

Result<void> GoHeap::read_spans(const GoRuntime& runtime) {
  Result<std::vector<GoArena>> arenas = read_arenas(runtime);
  if (!arenas) return arenas.error();
  for (const GoArena& arena : *arenas) read_spans_of(runtime, arena);
  if (objects_ > kMostObjects)
    return Error{"the heap claims to have more objects than can be", "", Exit::kUnsupported};
  if (spans_.empty()) return Error{"the heap of this program could not be read", "", Exit::kNoTarget};
  return {};
}

void GoHeap::read_spans_of(const GoRuntime& runtime, const GoArena& of) {
  const GoLayout& layout = runtime.layout();
  std::uint64_t base = of.base;
  GoSpanRecords records = read_span_bytes(runtime, of);
  Arena& arena = arenas_[base / kArena];
  arena.record = of.record;
  arena.span_of_page.assign(kGoArenaPages, kNoSpan);
  for (const GoSpanBytes& record : records) {
    std::string_view view = record.bytes;
    constexpr std::uint8_t kInUse = 1;
    if (field_of<std::uint8_t>(view, layout.span_state) != kInUse) continue;
    GoSpan span;
    span.start = field_of<std::uint64_t>(view, 24);
    span.pages = field_of<std::uint64_t>(view, 32);
    span.element_size = field_of<std::uint64_t>(view, layout.span_element_size);
    constexpr int kFirstWithShort = 22;
    span.elements = layout.minor >= kFirstWithShort ? field_of<std::uint16_t>(view, layout.span_elements)
                                                    : field_of<std::uint64_t>(view, layout.span_elements);
    span.specials = field_of<std::uint64_t>(view, layout.span_specials);
    constexpr std::size_t kLargeType = 152;
    constexpr std::uint8_t kSmallest = 2;  // the lowest bit tells whether there are pointers
    constexpr std::uint8_t kTiny = 5;      // 16 bytes, without pointers
    span.type_in_span = field_of<std::uint8_t>(view, layout.span_class) < kSmallest;
    span.tiny = field_of<std::uint8_t>(view, layout.span_class) == kTiny;
    if (span.type_in_span && layout.minor >= kFirstWithShort)
      span.type = field_of<std::uint64_t>(view, kLargeType);
    std::uint64_t page = base + record.page * kPage;
    bool sound = span.start <= page && span.pages < (std::uint64_t{1} << 32) &&
                 page < span.start + span.pages * kPage && span.element_size > 0 && span.elements > 0 &&
                 span.elements <= span.pages * kPage / span.element_size;
    if (!sound) continue;
    // A span may reach over several arenas, and is met in each.
    std::uint32_t number = static_cast<std::uint32_t>(spans_.size());
    std::uint64_t begin = std::max(span.start, base),
                  end = std::min(span.start + span.pages * kPage, base + kArena);
    if (begin != span.start) {
      auto before = arenas_.find(span.start / kArena);
      if (before == arenas_.end()) continue;
      number = before->second.span_of_page[span.start % kArena / kPage];
      if (number == kNoSpan) continue;
    } else {
      // A place has one span: else a program could claim thousands for each page that it has.
      if (arena.span_of_page[(begin - base) / kPage] != kNoSpan) continue;
      span.first_object = objects_;
      objects_ += span.elements;
      spans_.push_back(span);
      scannable_.push_back(!(field_of<std::uint8_t>(view, layout.span_class) & 1));
    }
    Arena& here = arenas_[base / kArena];
    std::fill(here.span_of_page.begin() + static_cast<std::ptrdiff_t>((begin - base) / kPage),
              here.span_of_page.begin() + static_cast<std::ptrdiff_t>((end - base) / kPage), number);
  }
}

Result<void> GoHeap::copy_contents(const GoRuntime& runtime, std::uint64_t limit) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < spans_.size(); ++i) total += scannable_[i] ? spans_[i].pages * kPage : 0;
  if (total > limit)
    return Error{
        fmt::format("{} of the heap may hold pointers, and {} is the most that is copied",
                    human_bytes(static_cast<double>(total)), human_bytes(static_cast<double>(limit))),
        "", Exit::kUnsupported};
  std::vector<MemoryPiece> pieces;
  std::vector<std::uint32_t> span_of_piece;
  constexpr std::uint64_t kBuffer = std::uint64_t{4} << 20;
  std::uint64_t used = kBuffer;
  for (std::uint32_t i = 0; i < spans_.size(); ++i) {
    if (!scannable_[i]) continue;
    std::uint64_t size = spans_[i].pages * kPage;
    if (size > kBuffer || used + size > kBuffer) {
      // Not cleared: most of it is about to be overwritten.
      buffers_.emplace_back(new char[std::max(size, kBuffer)]);
      used = 0;
    }
    pieces.push_back({spans_[i].start, size, buffers_.back().get() + used});
    span_of_piece.push_back(i);
    used += size;
  }
  runtime.memory().read_pieces(pieces);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].read) return Error{"the heap changed while it was copied", "try again", Exit::kFailed};
    spans_[span_of_piece[i]].bytes = pieces[i].to;
    copied_ += pieces[i].size;
  }
  return {};
}

namespace {

// From 1.22 on the bits of small objects stand at the end of their span. Of later versions some put their
// marks behind them: the number of objects tells, wherever the two would leave room for different numbers.
constexpr std::uint64_t kLargestWithBits = 512, kMarkBytes = 128, kSmallestWithMarks = 16;

std::uint64_t bit_bytes(const GoSpan& span, std::uint64_t page) { return span.pages * page / 64; }

bool have_marks(std::span<const GoSpan> spans, std::uint64_t page) {
  std::int64_t votes = 0;
  for (const GoSpan& span : spans) {
    if (!span.bytes || span.element_size > kLargestWithBits || span.element_size < kSmallestWithMarks)
      continue;
    std::uint64_t room = span.pages * page - bit_bytes(span, page);
    std::uint64_t without = room / span.element_size, with = (room - kMarkBytes) / span.element_size;
    if (without != with) votes += span.elements == with ? 1 : span.elements == without ? -1 : 0;
  }
  return votes > 0;
}

}  // namespace

void GoHeap::read_notes(const GoRuntime& runtime) {
  constexpr int kFirstInSpans = 22, kFirstOneBit = 20;
  masks_.emplace(runtime);
  bool marks = have_marks(spans_, kPage), in_spans = runtime.layout().minor >= kFirstInSpans;
  int words_of_byte = runtime.layout().minor >= kFirstOneBit ? 8 : 4;
  std::vector<MemoryPiece> pieces;
  std::vector<GoSpan*> of_piece;
  for (GoSpan& span : spans_) {
    if (!span.bytes) continue;
    if (!in_spans) {
      // A bitmap for each 64 MB begins the record of those.
      auto arena = arenas_.find(span.start / kArena);
      if (arena == arenas_.end() || span.start % kArena + span.pages * kPage > kArena) continue;
      std::size_t size = span.pages * kPage / 8 / static_cast<std::uint64_t>(words_of_byte);
      buffers_.emplace_back(new char[size]);
      std::uint64_t at =
          arena->second.record + span.start % kArena / 8 / static_cast<std::uint64_t>(words_of_byte);
      pieces.push_back({at, size, buffers_.back().get()});
      of_piece.push_back(&span);
    } else if (span.type_in_span) {
      span.notes = span.type ? PointerNotes::kOneType : PointerNotes::kNone;
    } else if (span.element_size > kLargestWithBits) {
      span.notes = PointerNotes::kHeader;
    } else {
      std::uint64_t end = span.pages * kPage - bit_bytes(span, kPage) -
                          (marks && span.element_size >= kSmallestWithMarks ? kMarkBytes : 0);
      span.bits = span.bytes + end;
      span.notes = PointerNotes::kBits;
    }
  }
  runtime.memory().read_pieces(pieces);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].read) continue;
    of_piece[i]->bits = pieces[i].to;
    of_piece[i]->notes = words_of_byte == 8 ? PointerNotes::kBits : PointerNotes::kTwoBits;
  }
}

std::optional<GoObject> GoHeap::object_at(std::uint64_t address) const {
  auto arena = arenas_.find(address / kArena);
  if (arena == arenas_.end()) return std::nullopt;
  std::uint32_t number = arena->second.span_of_page[address % kArena / kPage];
  if (number == kNoSpan) return std::nullopt;
  const GoSpan& span = spans_[number];
  std::uint64_t index = (address - span.start) / span.element_size;
  if (index >= span.elements) return std::nullopt;
  return GoObject{number, span.first_object + index};
}

std::string_view GoHeap::contents(const GoObject& object) const {
  const GoSpan& span = spans_[object.span];
  if (!span.bytes) return {};
  return {span.bytes + (object.number - span.first_object) * span.element_size, span.element_size};
}

}  // namespace dwell
