// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/holders.h"

#include <algorithm>

#include "userspace/go/heap/marker.h"

namespace dwell {
namespace {

constexpr std::size_t kMostHolders = 16;
constexpr std::uint64_t kMapHead = 48;
constexpr int kFirstSwissMaps = 24;

std::uint64_t length_of_old_map(std::string_view head, const SizeOfObject& size_of) {
  constexpr std::uint64_t kInBucket = 8, kLeastBucket = 16, kMostFlags = 16, kMostShift = 40;
  std::uint64_t count = field_of<std::uint64_t>(head, 0), buckets = field_of<std::uint64_t>(head, 16);
  std::uint8_t flags = field_of<std::uint8_t>(head, 8), shift = field_of<std::uint8_t>(head, 9);
  if (flags >= kMostFlags || shift > kMostShift || count > (kInBucket << shift)) return 0;
  return size_of(buckets) >= (kLeastBucket << shift) ? count : 0;
}

std::uint64_t length_of_swiss_map(std::string_view head, const SizeOfObject& size_of) {
  constexpr std::uint64_t kInGroup = 8, kMostInTable = 1024, kMostDepth = 40;
  std::uint64_t used = field_of<std::uint64_t>(head, 0), directory = field_of<std::uint64_t>(head, 16);
  std::uint64_t length = field_of<std::uint64_t>(head, 24);
  std::uint8_t depth = field_of<std::uint8_t>(head, 32);
  if (length == 0) return used <= kInGroup && size_of(directory) ? used : 0;
  if (depth > kMostDepth || length != std::uint64_t{1} << depth || used > length * kMostInTable) return 0;
  return size_of(directory) >= length * 8 ? used : 0;
}

}  // namespace

std::uint64_t go_map_length(std::string_view head, int minor, const SizeOfObject& size_of) {
  if (head.size() < kMapHead) return 0;
  return minor >= kFirstSwissMaps ? length_of_swiss_map(head, size_of) : length_of_old_map(head, size_of);
}

std::uint64_t elements_of_short_slice(std::uint64_t length, std::uint64_t capacity,
                                      std::uint64_t array_bytes) {
  constexpr std::uint64_t kLargeArray = 4096, kLargeElement = 1024, kLittle = 16;
  if (capacity == 0 || length > capacity || array_bytes < kLargeArray) return 0;
  if (array_bytes / capacity >= kLargeElement) return capacity;
  // As many elements as bytes: they are bytes, and what it could still be grown to is hers too, but is not
  // used.
  bool of_bytes = capacity <= array_bytes && capacity > array_bytes / 2;
  return of_bytes && length > 0 && length <= capacity / kLittle ? length : 0;
}

void Marker::account_closure(std::string_view words, const GoObject& object, GoHolder& holder) {
  std::uint64_t code = field_of<std::uint64_t>(words, 0);
  if (!runtime_.module().text.contains(code)) return;
  auto [known, fresh] = entries_.try_emplace(code);
  if (fresh) known->second = runtime_.frames().is_entry(code);
  if (!known->second) return;
  std::uint64_t bytes = 0;
  heap_.visit_places(object, [&](std::uint64_t place) {
    std::optional<GoObject> held = heap_.object_at(field_of<std::uint64_t>(words, place * 8));
    if (held && !marked_[held->number]) bytes += heap_.spans()[held->span].element_size;
  });
  closures_[code].first += 1;
  closures_[code].second += bytes;
  auto [count, held] = closures_[code];
  if (held < holder.closure_bytes) return;
  holder.closure = code;
  holder.closures = count;
  holder.closure_bytes = held;
}

void Marker::account_slice(std::string_view words, std::uint64_t place, GoHolder& holder) {
  if (place * 8 + 24 > words.size()) return;
  std::optional<GoObject> array = heap_.object_at(field_of<std::uint64_t>(words, place * 8));
  if (!array || marked_[array->number] || heap_.spans()[array->span].bytes) return;
  std::uint64_t size = heap_.spans()[array->span].element_size;
  std::uint64_t elements = elements_of_short_slice(field_of<std::uint64_t>(words, place * 8 + 8),
                                                   field_of<std::uint64_t>(words, place * 8 + 16), size);
  if (!elements) return;
  ++holder.short_slices;
  holder.short_bytes += size;
  holder.most_elements = std::max(holder.most_elements, elements);
  holder.array_bytes = std::max(holder.array_bytes, size);
}

void Marker::account(const GoObject& object, GoHolder& holder) {
  const GoSpan& span = heap_.spans()[object.span];
  holder.bytes += span.element_size;
  files_here_ += files_.contains(object.number);
  ++holder.objects;
  std::string_view words = heap_.contents(object);
  if (words.empty()) return;
  auto size_of = [this](std::uint64_t address) {
    std::optional<GoObject> there = heap_.object_at(address);
    return there ? heap_.spans()[there->span].element_size : 0;
  };
  if (span.element_size == kMapHead)
    holder.map_length =
        std::max(holder.map_length, go_map_length(words, static_cast<int>(runtime_.layout().minor), size_of));
  account_closure(words, object, holder);
  heap_.visit_places(object, [&](std::uint64_t place) { account_slice(words, place, holder); });
}

void Marker::follow(GoHolder& holder) {
  while (!open_.empty()) {
    GoObject object = open_.back();
    open_.pop_back();
    account(object, holder);
    look_into(object);
  }
}

void Marker::find_holders() {
  begin_anew();
  contexts_.reset();
  std::uint64_t explained_bytes = 0;
  visit_globals([&, this](std::uint64_t address, std::string_view words, std::uint64_t) {
    GoHolder holder;
    holder.address = address;
    closures_.clear();
    if (words.size() >= 24) {
      account_slice(words, 0, holder);
      std::uint64_t length = field_of<std::uint64_t>(words, 8), capacity = field_of<std::uint64_t>(words, 16);
      std::uint64_t array = field_of<std::uint64_t>(words, 0);
      std::optional<GoObject> there = heap_.object_at(array);
      // An element has a byte at least.
      if (there && length <= capacity && capacity <= heap_.spans()[there->span].element_size)
        holder.slice_length = length;
    }
    mark(field_of<std::uint64_t>(words, 0));
    files_here_ = 0;
    follow(holder);
    if (files_here_ > result_.files_held) {
      result_.files_held = files_here_;
      result_.files_holder = address;
    }
    explained_bytes += holder.bytes;
    if (holder.objects) result_.holders.push_back(holder);
    if (result_.holders.size() < 2 * kMostHolders) return;
    keep_largest_holders();
  });
  find_other_holders(explained_bytes);
  keep_largest_holders();
}

void Marker::keep_largest_holders() {
  std::ranges::sort(result_.holders, std::greater<>(), &GoHolder::bytes);
  if (result_.holders.size() > kMostHolders) result_.holders.resize(kMostHolders);
}

}  // namespace dwell
