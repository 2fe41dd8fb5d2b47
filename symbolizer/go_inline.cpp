// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_inline.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>

namespace dwell {
namespace {

constexpr std::uint32_t kInlineIndex = 2, kInlineTree = 3;
constexpr int kMostInlined = 256;
constexpr std::size_t kMostData = std::size_t{256} << 20;

// runtime.moduledata: where the table of functions is, the bounds of the code, and, by version, what the functions'
// own tables are counted from.
constexpr std::uint64_t kLowestCode = 160, kHighestCode = 168, kText = 176, kTextEnd = 184;
constexpr std::uint64_t kBaseFields[] = {304, 320, 344};  // 1.18 and 1.19; 1.20 to 1.26; 1.27
constexpr std::uint64_t kModuleDataSize = 352;

using Words = std::map<std::uint64_t, std::uint64_t>;  // by offset

std::uint64_t word(const Words& words, std::uint64_t offset) {
  auto found = words.find(offset);
  return found == words.end() ? 0 : found->second;
}

bool is_module_data(const Words& words) {
  std::uint64_t low = word(words, kLowestCode), high = word(words, kHighestCode);
  return word(words, kText) && word(words, kText) <= low && low < high && high <= word(words, kTextEnd);
}

// As it lies in the file.
std::optional<Words> module_data_in(std::string_view data, std::uint64_t table) {
  for (std::size_t at = 0; at + kModuleDataSize <= data.size(); at += 8) {
    std::uint64_t first;
    std::memcpy(&first, data.data() + at, sizeof first);
    if (first != table) continue;
    Words words;
    for (std::uint64_t offset = 0; offset < kModuleDataSize; offset += 8)
      std::memcpy(&words[offset], data.data() + at + offset, 8);
    if (is_module_data(words)) return words;
  }
  return std::nullopt;
}

// As the loader will make it, in a position-independent program.
std::optional<Words> module_data_relocated(std::string_view relocations, std::uint64_t table) {
  auto for_each = [&](auto visit) {
    for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= relocations.size(); at += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation;
      std::memcpy(&relocation, relocations.data() + at, sizeof relocation);
      if (ELF64_R_TYPE(relocation.r_info) == R_X86_64_RELATIVE)
        visit(relocation.r_offset, static_cast<std::uint64_t>(relocation.r_addend));
    }
  };
  constexpr std::size_t kMostPlaces = 16;
  std::vector<std::uint64_t> places;
  for_each([&](std::uint64_t at, std::uint64_t value) {
    if (value == table && places.size() < kMostPlaces) places.push_back(at);
  });
  for (std::uint64_t place : places) {
    Words words;
    for_each([&](std::uint64_t at, std::uint64_t value) {
      if (at >= place && at < place + kModuleDataSize) words[at - place] = value;
    });
    if (is_module_data(words)) return words;
  }
  return std::nullopt;
}

std::optional<Words> find_module_data(const ElfFile& elf) {
  std::uint64_t table = 0;
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab"})
    if (const ElfSection* section = elf.section(name); section && !table) table = section->vaddr;
  if (!table) return std::nullopt;
  for (const char* name : {".go.module", ".noptrdata", ".data", ".data.rel.ro"}) {
    if (!elf.section(name)) continue;
    Result<std::string> data = elf.section_bytes(name, kMostData);
    if (!data) continue;
    if (std::optional<Words> found = module_data_in(*data, table)) return found;
  }
  if (!elf.section(".rela.dyn")) return std::nullopt;
  Result<std::string> relocations = elf.section_bytes(".rela.dyn", kMostData);
  return relocations ? module_data_relocated(*relocations, table) : std::nullopt;
}

}  // namespace

GoInlining GoInlining::find(std::shared_ptr<const ElfFile> elf, const GoTable& table) {
  if (!elf || table.size() == 0) return {};
  std::optional<Words> words = find_module_data(*elf);
  GoInlining inlining;
  inlining.elf_ = std::move(elf);
  for (std::uint64_t field : kBaseFields) {
    inlining.base_ = words ? word(*words, field) : 0;
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

bool GoInlining::add_inlined(const GoTable& table, const GoRecord& record, std::uint64_t& vaddr,
                             std::vector<GoFunction>& calls) const {
  std::optional<std::uint32_t> tree = table.data_offset(record, kInlineTree);
  std::int64_t index = tree ? table.address_value(record, kInlineIndex, vaddr) : -1;
  if (index < 0 || index > (1 << 20)) return false;
  std::size_t size = table.is_since_120() ? 16 : 20;
  Result<std::string> bytes = elf_->bytes_at(base_ + *tree + static_cast<std::uint64_t>(index) * size, size);
  if (!bytes || bytes->size() != size) return false;
  auto number = [&](std::size_t at) {
    std::uint32_t value;
    std::memcpy(&value, bytes->data() + at, sizeof value);
    return value;
  };
  GoFunction call = table.place(record, vaddr);
  call.name = table.name_at(number(table.is_since_120() ? 4 : 12));
  std::uint64_t outer = record.entry + number(table.is_since_120() ? 8 : 16);
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

}  // namespace dwell
