// SPDX-License-Identifier: Apache-2.0
// The words by which users choose views, kinds, sort keys and groups.
#include <algorithm>
#include <array>
#include <utility>

#include "userspace/memory/report.h"
#include "userspace/memory/view.h"

namespace dwell {

namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<MemoryView, 6> kViews = {{{MemoryView::kRetained, "retained"},
                                          {MemoryView::kGrowing, "growing"},
                                          {MemoryView::kAllocated, "allocated"},
                                          {MemoryView::kTemporary, "temporary"},
                                          {MemoryView::kPeak, "peak"},
                                          {MemoryView::kAll, "all"}}};
constexpr Names<MemoryKind, 4> kKinds = {{{MemoryKind::kHeap, "heap"},
                                          {MemoryKind::kMapping, "mapping"},
                                          {MemoryKind::kFile, "file"},
                                          {MemoryKind::kReserved, "reserved"}}};
constexpr Names<SortKey, 8> kSortKeys = {{{SortKey::kRetained, "retained"},
                                          {SortKey::kBlocks, "blocks"},
                                          {SortKey::kGrowth, "growth"},
                                          {SortKey::kAllocated, "allocated"},
                                          {SortKey::kAllocations, "allocations"},
                                          {SortKey::kTemporary, "temporary"},
                                          {SortKey::kPeak, "peak"},
                                          {SortKey::kAge, "age"}}};
constexpr Names<GroupBy, 4> kGroups = {{{GroupBy::kStack, "stack"}, {GroupBy::kFunction, "function"}, {GroupBy::kModule, "module"}, {GroupBy::kFile, "file"}}};

template <typename Enum, std::size_t N>
std::optional<Enum> named(const Names<Enum, N>& names, std::string_view name) {
  auto it = std::ranges::find(names, name, &std::pair<Enum, std::string_view>::second);
  return it == names.end() ? std::nullopt : std::optional(it->first);
}

template <typename Enum, std::size_t N>
std::string_view name_in(const Names<Enum, N>& names, Enum value) {
  auto it = std::ranges::find(names, value, &std::pair<Enum, std::string_view>::first);
  return it == names.end() ? "unknown" : it->second;
}

}  // namespace

std::optional<MemoryView> memory_view_named(std::string_view name) { return named(kViews, name); }
std::string_view name_of(MemoryView view) { return name_in(kViews, view); }
std::optional<MemoryKind> memory_kind_named(std::string_view name) { return named(kKinds, name); }
std::string_view name_of(MemoryKind kind) { return name_in(kKinds, kind); }
std::optional<SortKey> sort_key_named(std::string_view name) { return named(kSortKeys, name); }
std::string_view name_of(SortKey key) { return name_in(kSortKeys, key); }
std::optional<GroupBy> group_by_named(std::string_view name) { return named(kGroups, name); }

}  // namespace dwell
