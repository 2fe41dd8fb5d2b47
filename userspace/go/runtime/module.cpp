// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/module.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "symbolizer/go_file.h"
#include "userspace/base/cursor.h"

namespace dwell {
namespace {

constexpr std::size_t kMaxSegment = std::size_t{2} << 30;
constexpr std::size_t kMaxFunction = std::size_t{256} << 10;
constexpr std::string_view kBuildMagic = "\xff Go buildinf:";

std::optional<std::uint64_t> bias_of(const ElfFile& elf, const Mapping& mapping) {
  if (!mapping.executable) return std::nullopt;
  std::optional<std::uint64_t> vaddr = elf.vaddr_of_mapping(mapping.file_offset, true);
  return vaddr ? std::optional(mapping.start - *vaddr) : std::nullopt;
}

// moduledata begins with the table's address, and what it says of the code is in order.
bool is_moduledata(std::string_view bytes) {
  auto at = [&](std::size_t offset) { return field_of<std::uint64_t>(bytes, offset); };
  std::uint64_t min = at(160), max = at(168), text = at(176), end = at(184);
  return text != 0 && text <= min && min < max && max <= end;
}

std::optional<std::uint64_t> find_moduledata(const ElfFile& elf, std::uint64_t bias, std::uint64_t table,
                                             const ProcessMemory& memory) {
  constexpr std::size_t kNeeded = 256;
  std::vector<GoRange> places;
  for (const char* name : {".go.module", ".noptrdata", ".data", ".data.rel.ro"}) {
    if (const ElfSection* section = elf.section(name))
      places.push_back({section->vaddr + bias, section->vaddr + section->size + bias});
  }
  std::span<const ElfSegment> segments = elf.segments();
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (!segment->executable)
      places.push_back({segment->vaddr + bias, segment->vaddr + segment->file_size + bias});
  }
  for (const GoRange& place : places) {
    if (place.size() > kMaxSegment) continue;
    std::string bytes(place.size(), '\0');
    bytes.resize(memory.read_some(place.begin, bytes.data(), bytes.size()));
    for (std::size_t at = (8 - place.begin % 8) % 8; at + kNeeded <= bytes.size(); at += 8) {
      if (field_of<std::uint64_t>(bytes, at) == table && is_moduledata(std::string_view(bytes).substr(at)))
        return place.begin + at;
    }
  }
  return std::nullopt;
}

// As the linker writes it: the text itself since 1.18, before that the address of a string.
std::string version_in(std::string_view info, const ProcessMemory& memory) {
  constexpr std::size_t kMaxVersion = 256;
  Cursor cursor(info);
  cursor.skip(kBuildMagic.size());
  cursor.skip(1);  // size of a pointer
  std::uint8_t flags = cursor.u8();
  if (flags & 2) {
    cursor.seek(32);
    std::uint64_t size = cursor.uleb();
    return size > kMaxVersion ? "" : std::string(cursor.text(size));
  }
  std::uint64_t header[2] = {};
  cursor.seek(16);
  if (!memory.read(cursor.u64(), header, sizeof header)) return "";
  return memory.text(header[0], header[1], kMaxVersion);
}

std::string version_from_build_info(const ElfFile& elf, std::string_view data, const ProcessMemory& memory) {
  if (Result<std::string> info = elf.section_bytes(".go.buildinfo", 1 << 20))
    return version_in(*info, memory);
  std::size_t at = data.find(kBuildMagic);
  return at == std::string_view::npos ? "" : version_in(data.substr(at), memory);
}

// The runtime holds its version in a variable; where it stands is not known, but what it points to can be
// told.
std::string version_from_variable(std::string_view data, const GoRange& module,
                                  const ProcessMemory& memory) {
  constexpr std::uint64_t kShortest = 4, kLongest = 64;
  for (std::size_t at = 0; at + 16 <= data.size(); at += 8) {
    std::uint64_t size = field_of<std::uint64_t>(data, at + 8);
    std::uint64_t address = field_of<std::uint64_t>(data, at);
    if (size < kShortest || size > kLongest || !module.contains(address)) continue;
    std::string text = memory.text(address, size, kLongest);
    if (text.rfind("go1.", 0) == 0 && text.size() > 4 && text[4] >= '0' && text[4] <= '9') return text;
  }
  return "";
}

std::string version_of(const ElfFile& elf, std::uint64_t bias, const ProcessMemory& memory) {
  GoRange module{~std::uint64_t{0}, 0};
  for (const ElfSegment& segment : elf.segments()) {
    module.begin = std::min(module.begin, segment.vaddr + bias);
    module.end = std::max(module.end, segment.vaddr + segment.memory_size + bias);
  }
  std::span<const ElfSegment> segments = elf.segments();
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (segment->executable || segment->file_size > kMaxSegment) continue;
    std::string data(segment->file_size, '\0');
    data.resize(memory.read_some(segment->vaddr + bias, data.data(), data.size()));
    std::string version = version_from_build_info(elf, data, memory);
    if (version.empty()) version = version_from_variable(data, module, memory);
    if (!version.empty()) return version;
  }
  return "";
}

Result<GoModule> open_module(const Mapping& mapping, bool search, const ProcessMemory& memory) {
  Error none{"no Go runtime in " + mapping.path, "", Exit::kUnsupported};
  Result<std::string> path = path_to_open(memory.pid(), mapping);
  if (!path) return path.error();
  Result<ElfFile> opened = ElfFile::open(*path);
  if (!opened) return opened.error();
  auto elf = std::make_shared<const ElfFile>(std::move(*opened));
  std::optional<GoTableBytes> table = go_table_by_section(*elf);
  if (!table && search) table = go_table_by_search(*elf);
  std::optional<std::uint64_t> bias = bias_of(*elf, mapping);
  if (!table || !bias) return none;
  std::uint32_t magic = field_of<std::uint32_t>(table->bytes, 0);
  if (magic == 0xfffffffa || magic == 0xfffffffb)
    return Error{mapping.path + " was built with a Go older than 1.18, whose goroutines dwell can't read",
                 "build it with Go 1.18 or newer", Exit::kUnsupported};
  std::optional<std::uint64_t> moduledata = find_moduledata(*elf, *bias, table->vaddr + *bias, memory);
  if (!moduledata) return none;

  GoModule module;
  module.path = mapping.path;
  module.open_path = *path;
  module.elf = elf;
  module.bias = *bias;
  module.moduledata = *moduledata;
  std::uint64_t fields[10] = {};  // text, etext, noptrdata, enoptrdata, data, edata, bss, ebss
  if (!memory.read(*moduledata + 176, fields, sizeof fields)) return none;
  module.text = {fields[0], fields[1]};
  module.data = {fields[4], fields[5]};
  module.bss = {fields[6], fields[7]};
  // The file's own figure is not where the code was loaded; 0 makes the table take ours.
  std::fill_n(table->bytes.begin() + 24, 8, '\0');
  module.table = GoTable::parse(std::move(table->bytes), module.text.begin);
  if (module.table.size() == 0) return none;
  module.version = version_of(*elf, *bias, memory);
  return module;
}

}  // namespace

std::string GoModule::code_of(const GoRecord& function) const {
  std::uint64_t size = std::min<std::uint64_t>(function.end - function.entry, kMaxFunction);
  Result<std::string> code = elf->bytes_at(function.entry - bias, size);
  return code ? std::move(*code) : std::string();
}

Result<GoModule> find_go_module(std::span<const Mapping> mappings, const ProcessMemory& memory) {
  std::optional<Error> refused;
  std::uint64_t seen = 0;
  bool first = true;
  for (const Mapping& mapping : mappings) {
    if (!mapping.is_file() || !mapping.executable || mapping.inode == seen) continue;
    seen = mapping.inode;
    Result<GoModule> module = open_module(mapping, first, memory);
    first = false;
    if (module) return module;
    if (!module.error().hint.empty() && !refused) refused = module.error();
  }
  if (refused) return *refused;
  return Error{fmt::format("PID {} is no Go program: none of its modules has a Go runtime", memory.pid()), "",
               Exit::kUnsupported};
}

bool has_go_code(pid_t pid) {
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) return false;
  Result<GoModule> module = find_go_module(*mappings, ProcessMemory(pid));
  return module || !module.error().hint.empty();
}

}  // namespace dwell
