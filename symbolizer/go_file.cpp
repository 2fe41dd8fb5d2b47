// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/go_file.h"

#include <elf.h>

#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace dwell {
namespace {

constexpr std::size_t kMostTable = std::size_t{512} << 20;
constexpr std::size_t kMostSegment = std::size_t{2} << 30;
constexpr std::size_t kMostData = std::size_t{256} << 20;
constexpr std::size_t kTableHeader = 72;
constexpr std::uint64_t kMostFunctions = 10'000'000;

// runtime.moduledata: the bounds of the code. All of it, by the newest version.
constexpr std::uint64_t kLowestCode = 160, kHighestCode = 168, kText = 176, kTextEnd = 184;
constexpr std::uint64_t kModuleDataSize = 352;

template <typename T>
T number_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

bool is_go_file(const ElfFile& elf) {
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo", ".note.go.buildid"})
    if (elf.section(name)) return true;
  return false;
}

std::optional<GoTableBytes> go_table_by_section(const ElfFile& elf) {
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
    const ElfSection* section = elf.section(name);
    if (!section) continue;
    if (Result<std::string> bytes = elf.section_bytes(name, kMostTable); bytes && bytes->size() >= kTableHeader)
      return GoTableBytes{section->vaddr, std::move(*bytes)};
  }
  return std::nullopt;
}

std::optional<GoTableBytes> go_table_by_search(const ElfFile& elf) {
  for (const ElfSegment& segment : elf.segments()) {
    if (segment.file_size > kMostSegment || segment.file_size > elf.file_size()) continue;
    std::string bytes(segment.file_size, '\0');
    if (!elf.read_at(segment.file_offset, std::as_writable_bytes(std::span(bytes)))) continue;
    std::optional<std::size_t> at = find_go_table(bytes);
    if (!at) continue;
    bytes.erase(0, *at);
    if (bytes.size() > kMostTable) bytes.resize(kMostTable);
    return GoTableBytes{segment.vaddr + *at, std::move(bytes)};
  }
  return std::nullopt;
}

std::optional<std::size_t> find_go_table(std::string_view bytes, std::size_t from) {
  for (std::size_t at = (from + 7) / 8 * 8; at + kTableHeader <= bytes.size(); at += 8) {
    std::uint64_t start = number_at<std::uint64_t>(bytes, at);
    if ((start >> 48 & 0xff) != 1 || start >> 56 != 8 || (start >> 32 & 0xffff) != 0) continue;
    std::uint32_t magic = static_cast<std::uint32_t>(start);
    if (magic != 0xfffffff1 && magic != 0xfffffff0 && magic != 0xfffffffa && magic != 0xfffffffb) continue;
    std::uint64_t functions = number_at<std::uint64_t>(bytes, at + 8);
    if (functions == 0 || functions > kMostFunctions) continue;
    if (magic == 0xfffffffa || magic == 0xfffffffb) return at;  // told apart later
    std::uint64_t last = 0;
    bool ascending = true;
    for (std::size_t part = 32; part < kTableHeader; part += 8) {
      std::uint64_t offset = number_at<std::uint64_t>(bytes, at + part);
      ascending = ascending && offset > last && offset <= bytes.size() - at;
      last = offset;
    }
    if (ascending) return at;
  }
  return std::nullopt;
}

std::uint64_t GoModuleData::word(std::uint64_t offset) const {
  auto found = words_.find(offset);
  return found == words_.end() ? 0 : found->second;
}

std::uint64_t GoModuleData::text() const { return word(kText); }

bool GoModuleData::is_sound() const {
  std::uint64_t low = word(kLowestCode), high = word(kHighestCode);
  return text() && text() <= low && low < high && high <= word(kTextEnd);
}

// As it lies in the file.
std::optional<GoModuleData> GoModuleData::in_bytes(std::string_view data, std::uint64_t table) {
  for (std::size_t at = 0; at + kModuleDataSize <= data.size(); at += 8) {
    if (number_at<std::uint64_t>(data, at) != table) continue;
    Words words;
    for (std::uint64_t offset = 0; offset < kModuleDataSize; offset += 8)
      words[offset] = number_at<std::uint64_t>(data, at + offset);
    GoModuleData found(std::move(words));
    if (found.is_sound()) return found;
  }
  return std::nullopt;
}

// In a position-independent program, whose words are in its relocations.
std::optional<GoModuleData> GoModuleData::in_relocations(std::string_view relocations, std::uint64_t table) {
  auto for_each = [&](auto visit) {
    for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= relocations.size(); at += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation = number_at<Elf64_Rela>(relocations, at);
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
      if (at >= place && at - place < kModuleDataSize) words[at - place] = value;
    });
    GoModuleData found(std::move(words));
    if (found.is_sound()) return found;
  }
  return std::nullopt;
}

std::optional<GoModuleData> GoModuleData::find(const ElfFile& elf, std::uint64_t table) {
  for (const char* name : {".go.module", ".noptrdata", ".data", ".data.rel.ro"}) {
    if (!elf.section(name)) continue;
    Result<std::string> data = elf.section_bytes(name, kMostData);
    if (!data) continue;
    if (std::optional<GoModuleData> found = in_bytes(*data, table)) return found;
  }
  for (const ElfSegment& segment : elf.segments()) {
    if (!elf.sections().empty() || segment.executable || segment.file_size > kMostData) continue;
    Result<std::string> data = elf.bytes_at(segment.vaddr, segment.file_size);
    std::optional<GoModuleData> found = data ? in_bytes(*data, table) : std::nullopt;
    if (found) return found;
  }
  if (!elf.section(".rela.dyn")) return std::nullopt;
  Result<std::string> relocations = elf.section_bytes(".rela.dyn", kMostData);
  return relocations ? in_relocations(*relocations, table) : std::nullopt;
}

}  // namespace dwell
