// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_inline.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "symbolizer/go_file.h"

namespace dwell {
namespace {

constexpr std::uint32_t kInlineIndex = 2, kInlineTree = 3;
constexpr int kMostInlined = 256;
constexpr std::int64_t kMostNodes = 1 << 20;  // of a function's tree

// What the functions' own tables are counted from, in runtime.moduledata: 1.18 and 1.19; 1.20 to 1.26; 1.27.
constexpr std::uint64_t kBaseFields[] = {304, 320, 344};

// A node: where the name of the inlined function is, and behind that where it is called, from the function's entry.
std::size_t node_size(const GoTable& table) { return table.is_since_120() ? 16 : 20; }
std::size_t name_in_node(const GoTable& table) { return table.is_since_120() ? 4 : 12; }

std::uint32_t number_in_node(std::string_view bytes, std::size_t at) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

GoInlining GoInlining::find(std::shared_ptr<const ElfFile> elf, const GoTable& table) {
  if (!elf || table.size() == 0) return {};
  std::optional<GoModuleData> data = GoModuleData::find(*elf, table.vaddr());
  GoInlining inlining;
  inlining.elf_ = std::move(elf);
  for (std::uint64_t field : kBaseFields) {
    inlining.base_ = data ? data->word(field) : 0;
    if (inlining.base_ && inlining.fits(table)) return inlining;
  }
  return {};
}

// Whether the first functions that have inlined calls make sense with this base: names that there are, in functions of
// that size.
bool GoInlining::fits(const GoTable& table) const {
  constexpr std::size_t kEnough = 32, kMostTried = 4096;
  std::size_t sound = 0;
  for (std::size_t i = 0; i < std::min(table.size(), kMostTried) && sound < kEnough; ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record || !table.data_offset(*record, kInlineTree)) continue;
    for (std::uint64_t at = record->entry; at < record->end && at < record->entry + 256; ++at) {
      if (table.address_value(*record, kInlineIndex, at) < 0) continue;
      std::vector<GoFunction> calls;
      std::uint64_t outer = at;
      if (!add_inlined(table, *record, outer, calls)) return false;
      ++sound;
      break;
    }
  }
  return sound > 0;
}

// Nodes of the function's tree of inlined calls, by their numbers. Empty if there are none.
std::string GoInlining::tree_of(const GoTable& table, const GoRecord& record, std::int64_t first, std::int64_t last) const {
  std::optional<std::uint32_t> tree = table.data_offset(record, kInlineTree);
  if (!tree || first < 0 || last < first || last > kMostNodes) return {};
  std::uint64_t size = node_size(table), count = static_cast<std::uint64_t>(last - first) + 1;
  Result<std::string> bytes = elf_->bytes_at(base_ + *tree + static_cast<std::uint64_t>(first) * size, count * size);
  return bytes && bytes->size() == count * size ? std::move(*bytes) : std::string();
}

bool GoInlining::add_inlined(const GoTable& table, const GoRecord& record, std::uint64_t& vaddr,
                             std::vector<GoFunction>& calls) const {
  std::int64_t index = table.address_value(record, kInlineIndex, vaddr);
  std::string node = tree_of(table, record, index, index);
  if (node.empty()) return false;
  GoFunction call = table.place(record, vaddr);
  call.name = table.name_at(number_in_node(node, name_in_node(table)));
  std::uint64_t outer = record.entry + number_in_node(node, name_in_node(table) + 4);
  if (call.name.empty() || outer >= record.end) return false;
  calls.push_back(call);
  vaddr = outer;
  return true;
}

std::vector<GoFunction> GoInlining::calls_at(const GoTable& table, std::uint64_t vaddr) const {
  std::vector<GoFunction> calls;
  std::optional<GoRecord> record = table.record_at(vaddr);
  if (!record) return calls;
  for (int i = 0; i < kMostInlined && !empty() && add_inlined(table, *record, vaddr, calls); ++i) {
  }
  calls.push_back(table.place(*record, vaddr));
  return calls;
}

std::unordered_map<std::string_view, std::string_view> GoInlining::inlined(const GoTable& table) const {
  std::unordered_map<std::string_view, std::string_view> all;
  for (std::size_t i = 0; !empty() && i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record) continue;
    std::string nodes = tree_of(table, *record, 0, table.highest_value(*record, kInlineIndex));
    for (std::size_t at = 0; at < nodes.size(); at += node_size(table))
      all.try_emplace(table.name_at(number_in_node(nodes, at + name_in_node(table))), record->name);
  }
  return all;
}

}  // namespace dwell
