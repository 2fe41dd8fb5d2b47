// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/mimalloc_page_map.h"

#include <algorithm>
#include <array>
#include <map>

#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kMapWords = 1 << 18, kMapBytes = kMapWords * 8, kPartWords = 1 << 13, kPartCovers = kPartWords * kMimallocSlice;
constexpr std::uint64_t kArenaSize = std::uint64_t{1} << 30, kLargestOffset = 4 << 20;  // of a page's blocks, by alignment
constexpr std::size_t kRecordBytes = 160;
constexpr std::uint64_t kArenaFrom = 56;  // in a record, where it may stand: (arena, index of slice, count of slices)
constexpr std::uint64_t kFarthestArena = 64 << 20;  // its record, from where its slices begin
constexpr int kSampled = 64;
constexpr std::size_t kLongestPageMapHead = 16;  // words

// Where the fields of a record stand.
struct RecordLayout {
  std::size_t free, local_free, thread_free, used, capacity, reserved, block_size, start;
  std::uint64_t start_unit;  // 0: the first block's address; otherwise its distance from the record, in so many bytes
};
constexpr std::array<RecordLayout, 3> kRecords{{
    {8, 24, 32, 16, 18, 20, 40, 48, 0},  // 3.0
    {8, 24, 32, 16, 18, 20, 40, 48, 8},  // 3.1 to 3.4
    {16, 24, 64, 40, 56, 58, 32, 48, 1}, // 3.6
}};

std::uint64_t word_of(const std::array<char, kRecordBytes>& record, std::size_t offset) {
  return field_of<std::uint64_t>({record.data(), record.size()}, offset);
}

MimallocPage page_of(const std::array<char, kRecordBytes>& record, const MimallocLayout& layout, const MimallocPage& known) {
  const RecordLayout& at = kRecords[layout.mapped - 1u];
  auto count = [&](std::size_t offset) { return field_of<std::uint16_t>({record.data(), record.size()}, offset); };
  MimallocPage page;
  page.record = known.record, page.slices_start = known.slices_start, page.slices_end = known.slices_end;
  page.free = word_of(record, at.free);
  page.used = count(at.used), page.capacity = count(at.capacity), page.reserved = count(at.reserved);
  page.local_free = word_of(record, at.local_free);
  page.thread_free = word_of(record, at.thread_free) & ~std::uint64_t{3};
  page.block_size = page.capacity ? word_of(record, at.block_size) : 0;
  std::uint64_t start = word_of(record, at.start);
  page.start = at.start_unit ? page.record + at.start_unit * (start & 0xffffffff) : start;
  // The map ends before the last blocks of a page of more than 4 MiB.
  std::uint64_t size = std::uint64_t{page.reserved} * page.block_size;
  if (page.reserved == 1 && page.block_size < kArenaSize * 1024) page.slices_end = std::max(page.slices_end, page.start + size);
  return page;
}

bool makes_sense(const MimallocPage& page) {
  bool counts = page.reserved && page.used <= page.capacity && page.capacity <= page.reserved;
  bool size = page.capacity == 0 || (page.block_size >= 8 && page.block_size % 8 == 0 && page.block_size < kArenaSize * 1024);
  return counts && size && page.start >= page.slices_start && page.start < page.slices_end &&
         page.start + page.capacity * page.block_size <= page.slices_end;
}

class MapReader {
 public:
  explicit MapReader(const Target& target) : target_(target) {
    for (const Mapping& mapping : target.mappings)
      if (is_anonymous(mapping)) append_range(anonymous_, {mapping.start, mapping.end});
  }

  std::optional<MimallocSegments> find() {
    std::uint64_t map = find_map();
    if (!map) return std::nullopt;
    for (const Range& range : anonymous_)
      for (std::uint64_t part = range.start / kPartCovers; part <= (range.end - 1) / kPartCovers && part < kMapWords; ++part)
        if (parts_.empty() || parts_.back() != part) parts_.push_back(part), read_part(map, part);
    close_page();
    if (pages_.empty() || !learn_layout()) return std::nullopt;
    for (const MimallocPage& page : pages_) add(page);
    if (segments_.empty()) return std::nullopt;
    finish_segments();
    return std::move(found_);
  }

 private:
  const Range* anonymous_at(std::uint64_t address) const {
    auto after = std::ranges::upper_bound(anonymous_, address, {}, &Range::start);
    return after != anonymous_.begin() && (after - 1)->contains(address) ? &*(after - 1) : nullptr;
  }

  std::uint64_t find_map() const {
    std::vector<std::uint64_t> words;
    for (const Range& data : module_data(target_.mappings)) {
      words.resize((data.end - data.start) / 8);
      words.resize(target_.memory.read_some(data.start, words.data(), words.size() * 8) / 8);
      for (std::uint64_t word : words) {
        if (word == 0 || word % kPageSize) continue;
        const Range* range = anonymous_at(word);
        if (!range || range->end - word <= kMapBytes) continue;
        if (std::uint64_t map = map_at(word)) return map;
      }
    }
    return 0;
  }

  // Behind a head, if there is one. 0: none.
  std::uint64_t map_at(std::uint64_t address) const {
    std::array<std::uint64_t, kLongestPageMapHead> words{};
    if (!target_.memory.read(address, words.data(), sizeof words)) return 0;
    for (std::size_t i = 0; i < words.size(); ++i)
      if (words[i] == ((address + 8 * i + kMapBytes + kPageSize - 1) & ~(kPageSize - 1))) return address + 8 * i;
    return 0;
  }

  void read_part(std::uint64_t map, std::uint64_t part) {
    auto at = target_.memory.load<std::uint64_t>(map + 8 * part);
    if (!at || *at == 0 || *at % kPageSize || !anonymous_at(*at)) return;
    std::vector<std::uint64_t> words(kPartWords);
    words.resize(target_.memory.read_some(*at, words.data(), kPartWords * 8) / 8);
    for (std::size_t i = 0; i < words.size(); ++i) add_slice(part * kPartCovers + i * kMimallocSlice, words[i]);
  }

  void add_slice(std::uint64_t address, std::uint64_t record) {
    if (record == open_.record && address == open_.slices_end) {
      open_.slices_end += kMimallocSlice;
      return;
    }
    close_page();
    if (record && record % 8 == 0 && anonymous_at(record)) open_.record = record, open_.slices_start = address, open_.slices_end = address + kMimallocSlice;
  }
  void close_page() {
    if (open_.record) pages_.push_back(open_);
    open_ = {};
  }

  std::optional<std::array<char, kRecordBytes>> record_of(const MimallocPage& page) const {
    std::array<char, kRecordBytes> record{};
    if (target_.memory.read_some(page.record, record.data(), record.size()) < kArenaFrom) return std::nullopt;
    return record;
  }

  // How records tell where blocks begin; and whether the lists can be followed.
  bool learn_layout() {
    for (std::size_t i = 0; i < kRecords.size(); ++i) {
      MimallocLayout layout;
      layout.tells_start = true, layout.mapped = static_cast<std::uint8_t>(i + 1);
      int good = 0, looked_at = 0;
      for (; looked_at < kSampled && looked_at < static_cast<int>(pages_.size()); ++looked_at) {
        const MimallocPage& known = pages_[static_cast<std::size_t>(looked_at)];
        auto record = record_of(known);
        if (record && makes_sense(page_of(*record, layout, known))) good += links_are_plain(page_of(*record, layout, known));
      }
      if (good * 4 < looked_at * 3) continue;
      found_.layout = layout;
      return true;
    }
    return false;
  }

  bool links_are_plain(const MimallocPage& page) const {
    for (std::uint64_t head : {page.free, page.local_free}) {
      if (head == 0) continue;
      auto in_page = [&](std::uint64_t block) { return block >= page.start && block < page.slices_end && (block - page.start) % page.block_size == 0; };
      auto next = target_.memory.load<std::uint64_t>(head);
      if (page.block_size == 0 || !in_page(head) || !next || (*next && !in_page(*next))) return false;
    }
    return true;
  }

  void add(const MimallocPage& known) {
    auto record = record_of(known);
    if (!record) return;
    MimallocPage page = page_of(*record, found_.layout, known);
    if (!makes_sense(page)) return;
    auto [arena, base] = arena_of(*record, page);
    auto [segment, is_new] = segments_.try_emplace(arena ? arena : page.slices_start);
    segment->second.address = is_new ? base : std::min(segment->second.address, base);
    segment->second.info = arena ? kPageSize : 0;
    segment->second.pages.push_back(page);
  }

  // Its record, and where its first slice begins; for a page outside of arenas: 0, and where the page begins.
  std::pair<std::uint64_t, std::uint64_t> arena_of(const std::array<char, kRecordBytes>& record, const MimallocPage& page) const {
    for (std::size_t at = kArenaFrom; at + 16 <= record.size(); at += 8) {
      std::uint64_t arena = word_of(record, at), place = word_of(record, at + 8), slice = place & 0xffffffff, slices = place >> 32;
      if (arena == 0 || arena % kPageSize || slices == 0 || slice * kMimallocSlice > page.slices_start || !anonymous_at(arena)) continue;
      std::uint64_t base = page.slices_start - slice * kMimallocSlice;
      if (arena + kLargestOffset >= base && arena < base + kFarthestArena && anonymous_at(base) == anonymous_at(arena)) return {arena, base};
    }
    return {0, page.slices_start};
  }

  void finish_segments() {
    std::uint64_t behind = 0;
    std::vector<MimallocSegment> segments;
    for (auto& [key, segment] : segments_) segments.push_back(std::move(segment));
    std::ranges::sort(segments, {}, &MimallocSegment::address);
    for (MimallocSegment& segment : segments) {
      std::uint64_t address = segment.address;
      if (address < behind) continue;
      std::ranges::sort(segment.pages, {}, &MimallocPage::slices_start);
      std::uint64_t end = 0;
      for (const MimallocPage& page : segment.pages) end = std::max(end, page.slices_end);
      const Range* range = anonymous_at(address);
      if (segment.info && range) end = std::max(end, std::min(range->end, address + kArenaSize));
      if (range) end = std::min(end, range->end);
      segment.size = end - address;
      behind = end;
      found_.all.push_back(std::move(segment));
    }
  }

  const Target& target_;
  std::vector<Range> anonymous_;
  std::vector<std::uint64_t> parts_;
  MimallocPage open_;                 // whose slices are being gathered
  std::vector<MimallocPage> pages_;   // record and slices only
  std::map<std::uint64_t, MimallocSegment> segments_;  // by their arena's record, or their only page
  MimallocSegments found_;
};

}  // namespace

std::optional<MimallocSegments> find_mimalloc_page_map(const Target& target) { return MapReader(target).find(); }

std::optional<MimallocPage> read_mapped_page(const ProcessMemory& memory, const MimallocLayout& layout, const MimallocPage& known) {
  std::array<char, kRecordBytes> record{};
  if (memory.read_some(known.record, record.data(), record.size()) < kArenaFrom) return std::nullopt;
  return page_of(record, layout, known);
}

}  // namespace dwell::memory::heap
