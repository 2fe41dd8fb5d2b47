// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/tcmalloc_caches.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "userspace/memory/heap/module_data.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kClasses = 128, kEntries = 64;
constexpr std::uint64_t kCentralSize = 1216, kClassesSeen = 8;
constexpr std::size_t kSearchedAtOnce = 1 << 20;
constexpr int kCacheTries = 4;
constexpr std::size_t kMostObjects = 1 << 24;

struct ThreadList {
  std::uint64_t head;
  std::uint32_t length, low_water, most, overages, object_size, unused;
};
static_assert(sizeof(ThreadList) == 32);

struct CentralCache {
  std::uint64_t lock, size_class;
  std::uint64_t spans[14];
  struct {
    std::uint64_t head, tail;
  } entries[kEntries];
  std::int32_t used, size, most, unused;
};
static_assert(sizeof(CentralCache) == 1168);

class TcmallocCacheFinder {
 public:
  TcmallocCacheFinder(const Target& target, const TcmallocSpans& spans) : target_(target), spans_(spans) {}

  TcmallocCaches find() {
    for (const Range& range : metadata()) look_for_threads(range);
    for (const Range& data : module_data(target_.mappings)) look_for_central(data);
    return std::move(found_);
  }

 private:
  // Anonymous memory that holds records of spans or leaves: what the library allocated for itself.
  std::vector<Range> metadata() const {
    std::vector<std::uint64_t> places = spans_.leaves;
    for (const TcmallocSpans::At& at : spans_.all) places.push_back(at.record);
    std::ranges::sort(places);
    std::vector<Range> ranges;
    for (const Mapping& mapping : target_.mappings) {
      if (!is_anonymous(mapping) && mapping.path != "[heap]") continue;
      auto first = std::ranges::lower_bound(places, mapping.start);
      if (first != places.end() && *first < mapping.end) ranges.push_back({mapping.start, mapping.end});
    }
    return ranges;
  }

  void look_for_threads(const Range& range) {
    std::vector<PageState> states(kSearchedAtOnce / kPageSize + 1);
    std::vector<char> bytes(kSearchedAtOnce + kPageSize);  // a cache is shorter than the page more
    for (std::uint64_t at = range.start; at < range.end; at += kSearchedAtOnce) {
      if (const TcmallocSpans::At* span = spans_.around(at); span && span->span.start() + span->span.bytes() >= at + kSearchedAtOnce) continue;
      std::size_t size = std::min<std::uint64_t>(bytes.size(), range.end - at);
      std::span<PageState> pages(states.data(), (size + kPageSize - 1) / kPageSize);
      target_.pages.read(at, pages);
      if (!std::ranges::count(pages, PageState::kPresent)) continue;
      std::size_t got = target_.memory.read_some(at, bytes.data(), size);
      for (std::size_t i = 0; i < kSearchedAtOnce && i + kClasses * sizeof(ThreadList) <= got; i += 8)
        if (is_cache(bytes.data() + i)) add_thread(at + i);
    }
  }

  // The sizes of objects are those of all classes, in order.
  bool is_cache(const char* bytes) const {
    for (std::size_t i = 1; i < spans_.class_sizes.size(); ++i) {
      ThreadList list;
      std::memcpy(&list, bytes + i * sizeof list, sizeof list);
      if (list.object_size != spans_.class_sizes[i]) return false;
    }
    return true;
  }

  void add_thread(std::uint64_t address) {
    ++found_.threads;
    for (std::size_t i = 1; i < spans_.class_sizes.size(); ++i) add_list(address + i * sizeof(ThreadList));
  }

  void add_list(std::uint64_t address) {
    for (int tries = 0; tries < kCacheTries; ++tries) {
      auto list = target_.memory.load<ThreadList>(address);
      if (!list || list->length > kMostObjects) return;
      if (tries == 0) found_.lists_said += list->length;
      std::vector<std::uint64_t> objects = follow(list->head, list->length, 0);
      auto after = target_.memory.load<ThreadList>(address);
      if (objects.size() != list->length || !after || after->head != list->head || after->length != list->length) continue;
      found_.lists_found += objects.size();
      found_.of_threads.insert(objects.begin(), objects.end());
      return;
    }
  }

  // Up to the end, or the last one; empty where it makes no sense.
  std::vector<std::uint64_t> follow(std::uint64_t head, std::size_t most, std::uint64_t last) const {
    std::vector<std::uint64_t> objects;
    for (std::uint64_t at = head; at && objects.size() < most;) {
      const TcmallocSpans::At* span = spans_.around(at);
      std::uint64_t size = span ? spans_.object_size(span->span) : 0;
      if (size == 0 || (at - span->span.start()) % size) return {};
      objects.push_back(at);
      if (at == last) return objects;
      at = target_.memory.load<std::uint64_t>(at).value_or(1);
    }
    return objects;
  }

  void look_for_central(const Range& data) {
    std::vector<char> bytes(data.end - data.start);
    bytes.resize(target_.memory.read_some(data.start, bytes.data(), bytes.size()));
    for (std::size_t i = 0; i + kClasses * kCentralSize <= bytes.size(); i += 8) {
      bool numbered = true;
      for (std::size_t c = 0; c < kClassesSeen && numbered; ++c)
        numbered = field_of<std::uint64_t>({bytes.data(), bytes.size()}, i + c * kCentralSize + 8) == c;
      if (!numbered) continue;
      for (std::size_t c = 1; c < spans_.class_sizes.size(); ++c) add_central(data.start + i + c * kCentralSize);
      return;
    }
  }

  void add_central(std::uint64_t address) {
    auto cache = target_.memory.load<CentralCache>(address);
    if (!cache) return;
    std::size_t used = std::clamp<std::int32_t>(cache->used, 0, kEntries);
    for (std::size_t i = 0; i < used; ++i) {
      std::vector<std::uint64_t> objects = follow(cache->entries[i].head, kMostObjects, cache->entries[i].tail);
      auto after = target_.memory.load<CentralCache>(address);
      bool same = after && after->entries[i].head == cache->entries[i].head && after->used > static_cast<std::int32_t>(i) &&
                  after->entries[i].tail == cache->entries[i].tail;
      if (same && !objects.empty() && objects.back() == cache->entries[i].tail)
        found_.central.insert(objects.begin(), objects.end());
    }
  }

  const Target& target_;
  const TcmallocSpans& spans_;
  TcmallocCaches found_;
};

}  // namespace

TcmallocCaches find_tcmalloc_caches(const Target& target, const TcmallocSpans& spans) {
  return TcmallocCacheFinder(target, spans).find();
}

}  // namespace dwell::memory::heap
