// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/mimalloc_segment.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "userspace/memory/heap/mimalloc_page_map.h"
#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kSlices = kMimallocSegment / kMimallocSlice;
constexpr std::uint64_t kLongestSegmentHead = 1024, kLongestRecord = 128, kShortestRecord = 64;
constexpr std::uint64_t kLargestSegment = std::uint64_t{1} << 42;
constexpr std::uint32_t kHuge = 1u << 31;  // as a block size: that of the page
constexpr int kHeadTries = 4;

std::uint64_t word_at(const char* bytes, std::uint64_t offset) { return field_of<std::uint64_t>({bytes, offset + 8}, offset); }

// What stands before the records: how many slices the segment has, how many of those its head takes, a kind, how many records,
// and the thread that owns it.
struct Head {
  std::uint64_t slices, info, kind, records, thread;
  bool makes_sense() const {
    bool normal = (kind & 0xffffffff) == 0 && slices == kSlices && records == kSlices;
    bool huge = (kind & 0xffffffff) == 1 && slices >= 1 && slices < kLargestSegment / kMimallocSlice && records <= kSlices && records;
    return (normal || huge) && info >= 1 && info < 16 && info <= records;
  }
};

class SegmentReader {
 public:
  explicit SegmentReader(const Target& target) : target_(target) {}

  std::optional<MimallocSegments> find() {
    for (const Mapping& mapping : target_.mappings) {
      if (!is_anonymous(mapping)) continue;
      std::uint64_t at = (mapping.start + kMimallocSegment - 1) & ~(kMimallocSegment - 1);
      for (; at < mapping.end; at += kMimallocSegment) look_at(at);
    }
    if (found_.all.empty()) return std::nullopt;
    return std::move(found_);
  }

 private:
  void look_at(std::uint64_t address) {
    if (!found_.all.empty() && address < found_.all.back().address + found_.all.back().size) return;
    PageState state{};
    target_.pages.read(address, {&state, 1});
    if (state != PageState::kPresent) return;
    for (int tries = 0; tries < kHeadTries; ++tries)
      if (read_segment(address)) return;
  }

  bool read_segment(std::uint64_t address) {
    bytes_.resize(kLongestSegmentHead + (kSlices + 1) * kLongestRecord);
    if (target_.memory.read_some(address, bytes_.data(), bytes_.size()) < bytes_.size()) return false;
    if (found_.layout.records) return add(address, found_.layout);
    for (std::uint64_t records = 64; records + 8 <= kLongestSegmentHead; records += 8)
      for (std::uint64_t size = kShortestRecord; size <= kLongestRecord; size += 8)
        if (add(address, {records, size, false})) return true;
    return false;
  }

  bool add(std::uint64_t address, MimallocLayout layout) {
    Head head{};
    if (layout.records < sizeof head) return false;
    std::memcpy(&head, bytes_.data() + layout.records - sizeof head, sizeof head);
    if (!head.makes_sense()) return false;
    MimallocSegment segment{address, head.slices * kMimallocSlice, head.info * kMimallocSlice, head.thread, {}};
    if (!found_.layout.records) layout.tells_start = tells_start(address, layout, head);
    if (!read_pages(segment, layout, head)) return false;
    found_.layout = layout;
    found_.all.push_back(std::move(segment));
    return true;
  }

  const char* record(const MimallocLayout& layout, std::uint64_t slice) const {
    return bytes_.data() + layout.records + slice * layout.record_size;
  }

  // Whether the records that have blocks say where the first one is.
  bool tells_start(std::uint64_t address, const MimallocLayout& layout, const Head& head) const {
    for (std::uint64_t slice = head.info; slice < head.records;) {
      std::uint32_t count = field_of<std::uint32_t>({record(layout, slice), 4}, 0);
      std::uint64_t start = word_at(record(layout, slice), 48), slices = address + slice * kMimallocSlice;
      if (field_of<std::uint16_t>({record(layout, slice), 12}, 10) != 0)
        return start >= slices && start < slices + kMimallocSlice && word_at(record(layout, slice), 40) > 0;
      if (!count) return false;
      slice += count;
    }
    return false;
  }

  // From the first slice to the last, one page or stretch of free slices after the other.
  bool read_pages(MimallocSegment& segment, const MimallocLayout& layout, const Head& head) const {
    std::uint32_t first = field_of<std::uint32_t>({record(layout, 0), 4}, 0);
    if (first != head.info) return false;
    std::uint64_t slice = head.info;
    while (slice < head.records) {
      MimallocPage page;
      page.record = segment.address + layout.records + slice * layout.record_size;
      std::uint32_t count = fill(page, segment.address, layout, record(layout, slice));
      bool huge = (head.kind & 0xffffffff) == 1;
      if (count == 0 || (!huge && slice + count > head.records)) return false;
      page.slices_end = std::min(page.slices_end, segment.address + segment.size);
      segment.pages.push_back(page);
      slice += count;
    }
    return true;
  }

 public:
  // Takes a record apart; returns how many slices the page has, 0 where it makes no sense.
  static std::uint32_t fill(MimallocPage& page, std::uint64_t segment, const MimallocLayout& layout, const char* bytes) {
    std::string_view record(bytes, layout.record_size);
    std::uint32_t count = field_of<std::uint32_t>(record, 0), offset = field_of<std::uint32_t>(record, 4);
    if (count == 0 || offset != 0) return 0;
    std::uint64_t slice = (page.record - segment - layout.records) / layout.record_size;
    page.slices_start = segment + slice * kMimallocSlice;
    page.slices_end = page.slices_start + std::uint64_t{count} * kMimallocSlice;
    page.capacity = field_of<std::uint16_t>(record, 10);
    page.reserved = field_of<std::uint16_t>(record, 12);
    page.free = field_of<std::uint64_t>(record, 16);
    std::uint64_t behind = layout.tells_start ? 56 : 40;
    if (layout.record_size >= behind + 56) {  // secure builds: links are encoded
      page.keys = {field_of<std::uint64_t>(record, behind), field_of<std::uint64_t>(record, behind + 8)};
      behind += 16;
    }
    if (layout.tells_start) {
      page.local_free = field_of<std::uint64_t>(record, 24);
      page.used = field_of<std::uint16_t>(record, 32);
      page.block_size = field_of<std::uint64_t>(record, 40);
      page.start = field_of<std::uint64_t>(record, 48);
    } else {
      page.used = field_of<std::uint32_t>(record, 24);
      page.block_size = field_of<std::uint32_t>(record, 28);
      page.local_free = field_of<std::uint64_t>(record, 32);
      if (page.block_size >= kHuge) page.block_size = page.slices_end - page.slices_start;
    }
    page.thread_free = field_of<std::uint64_t>(record, behind) & ~std::uint64_t{3};
    page.heap = field_of<std::uint64_t>(record, behind + 8);
    if (page.capacity == 0) page.block_size = 0;
    return count;
  }

 private:
  const Target& target_;
  std::vector<char> bytes_;
  MimallocSegments found_;
};

}  // namespace

std::optional<MimallocSegments> find_mimalloc_segments(const Target& target) { return SegmentReader(target).find(); }

std::optional<MimallocPage> read_mimalloc_page(const ProcessMemory& memory, const MimallocLayout& layout,
                                               std::uint64_t segment, const MimallocPage& known) {
  if (layout.mapped) return read_mapped_page(memory, layout, known);
  std::array<char, kLongestRecord> bytes;
  if (!memory.read(known.record, bytes.data(), layout.record_size)) return std::nullopt;
  MimallocPage page;
  page.record = known.record;
  if (!SegmentReader::fill(page, segment, layout, bytes.data())) return std::nullopt;
  return page;
}

}  // namespace dwell::memory::heap
