// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/elf_file.h"

#include <elf.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "symbolizer/decompress.h"
#include "userspace/base/cursor.h"
#include "userspace/base/open_regular.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxSegments = 4096;
constexpr std::size_t kMaxSections = 1 << 20;
constexpr std::size_t kMaxNotes = 1 << 20;
constexpr std::size_t kMaxBuildId = 64;
constexpr std::size_t kMaxDynamic = 1 << 20;
constexpr std::size_t kMaxTable = std::size_t{1} << 30;

std::uint64_t align4(std::uint64_t value) { return (value + 3) & ~std::uint64_t{3}; }

// offset + size <= total, without overflow.
bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t total) {
  return offset <= total && size <= total - offset;
}

std::string_view string_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return {};
  std::string_view rest = table.substr(offset);
  std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

std::string_view without_version(std::string_view name) {
  std::size_t at = name.find('@', 1);
  return at == std::string_view::npos ? name : name.substr(0, at);
}

std::string find_build_id(std::string_view notes) {
  Cursor cursor(notes);
  while (cursor.ok() && !cursor.at_end()) {
    std::uint32_t name_size = cursor.u32();
    std::uint32_t description_size = cursor.u32();
    std::uint32_t type = cursor.u32();
    std::string_view name = cursor.text(name_size);
    cursor.skip(std::min<std::uint64_t>(align4(name_size) - name_size, cursor.remaining()));
    std::string_view description = cursor.text(description_size);
    cursor.skip(std::min<std::uint64_t>(align4(description_size) - description_size, cursor.remaining()));
    if (!cursor.ok()) break;
    if (type == NT_GNU_BUILD_ID && name == std::string_view("GNU\0", 4) && !description.empty() &&
        description.size() <= kMaxBuildId)
      return hex(description.data(), description.size());
  }
  return {};
}

}  // namespace

struct ElfFile::Impl {
  std::string path;
  UniqueFd fd;
  std::string bytes;  // used when there is no fd
  std::uint64_t size = 0;

  Elf64_Ehdr header{};
  std::string build_id;
  std::vector<ElfSegment> segments;
  std::vector<Elf64_Phdr> program_headers;
  std::vector<ElfSection> sections;
  std::vector<Elf64_Shdr> section_headers;

  mutable std::once_flag symbols_once;
  mutable std::vector<ElfSymbol> symbols;
  mutable std::deque<std::string> string_tables;  // a deque: names point into it while it grows

  mutable std::mutex shared_mutex;
  mutable std::map<std::string, std::weak_ptr<const std::string>, std::less<>> shared_sections;

  Error bad(const std::string& why) const {
    return {fmt::format("read ELF file {}: {}", path, why), "", Exit::kBadInput};
  }

  Result<void> read_at(std::uint64_t offset, std::span<std::byte> to) const;
  Result<std::string> read(std::uint64_t offset, std::uint64_t length) const;

  Result<void> load();
  Result<void> load_header();
  Result<void> load_program_headers(std::uint64_t count);
  Result<void> load_section_headers(std::uint64_t count, std::uint64_t names_index);
  void find_identity();
  std::vector<Elf64_Dyn> dynamic_entries() const;
  std::optional<std::uint64_t> offset_of_vaddr(std::uint64_t vaddr) const;

  void read_symbols() const;
  void read_symbol_section(const Elf64_Shdr& table) const;
  void read_dynamic_symbols() const;
  void add_symbols(std::string_view entries, std::string strings, bool dynamic) const;
};

Result<void> ElfFile::Impl::read_at(std::uint64_t offset, std::span<std::byte> to) const {
  if (!inside(offset, to.size(), size)) return bad(fmt::format("it ends before offset {:#x}", offset + to.size()));
  if (!fd.valid()) {
    if (!to.empty()) std::memcpy(to.data(), bytes.data() + offset, to.size());
    return {};
  }
  while (!to.empty()) {
    ssize_t n = ::pread(fd.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read " + path, errno);
    if (n == 0) return bad("it shrank while it was read");
    to = to.subspan(n);
    offset += n;
  }
  return {};
}

Result<std::string> ElfFile::Impl::read(std::uint64_t offset, std::uint64_t length) const {
  if (!inside(offset, length, size)) return bad(fmt::format("it ends before offset {:#x}", offset + length));
  std::string content(length, '\0');
  Result<void> done = read_at(offset, std::as_writable_bytes(std::span(content)));
  if (!done) return done.error();
  return content;
}

Result<void> ElfFile::Impl::load() {
  Result<void> header_read = load_header();
  if (!header_read) return header_read;

  // Counts that do not fit their 16 bits stand in the first section header.
  std::uint64_t segment_count = header.e_phnum;
  std::uint64_t section_count = header.e_shnum;
  std::uint64_t names_index = header.e_shstrndx;
  if (header.e_shoff != 0 && header.e_shentsize == sizeof(Elf64_Shdr)) {
    Elf64_Shdr first{};
    Result<void> read_first = read_at(header.e_shoff, std::as_writable_bytes(std::span(&first, 1)));
    if (read_first) {
      if (section_count == 0) section_count = first.sh_size;
      if (names_index == SHN_XINDEX) names_index = first.sh_link;
      if (segment_count == PN_XNUM) segment_count = first.sh_info;
    }
  }
  Result<void> segments_read = load_program_headers(segment_count);
  if (!segments_read) return segments_read;
  Result<void> sections_read = load_section_headers(header.e_shoff ? section_count : 0, names_index);
  if (!sections_read) return sections_read;
  find_identity();
  return {};
}

Result<void> ElfFile::Impl::load_header() {
  if (size < EI_NIDENT) return bad("too short to be an ELF file");
  Result<void> identity = read_at(0, std::as_writable_bytes(std::span(header.e_ident)));
  if (!identity) return identity;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return bad("not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return Error{fmt::format("read ELF file {}: not a 64-bit little-endian file", path),
                 "only 64-bit little-endian programs are supported", Exit::kUnsupported};
  }
  return read_at(0, std::as_writable_bytes(std::span(&header, 1)));
}

Result<void> ElfFile::Impl::load_program_headers(std::uint64_t count) {
  if (count == 0 || header.e_phoff == 0) return {};
  if (header.e_phentsize != sizeof(Elf64_Phdr) || count > kMaxSegments)
    return bad(fmt::format("{} program headers of {} bytes", count, header.e_phentsize));
  program_headers.resize(count);
  Result<void> done = read_at(header.e_phoff, std::as_writable_bytes(std::span(program_headers)));
  if (!done) return done;
  for (const Elf64_Phdr& segment : program_headers) {
    if (segment.p_type != PT_LOAD) continue;
    segments.push_back(
        {segment.p_vaddr, segment.p_offset, segment.p_filesz, segment.p_memsz, (segment.p_flags & PF_X) != 0});
  }
  return {};
}

Result<void> ElfFile::Impl::load_section_headers(std::uint64_t count, std::uint64_t names_index) {
  if (count == 0) return {};
  if (header.e_shentsize != sizeof(Elf64_Shdr) || count > kMaxSections)
    return bad(fmt::format("{} section headers of {} bytes", count, header.e_shentsize));
  if (!inside(header.e_shoff, count * sizeof(Elf64_Shdr), size)) {
    // A file that lost its end still has segments to work with; its sections are gone.
    if (!program_headers.empty()) return {};
    return bad("its section headers are cut off");
  }
  section_headers.resize(count);
  Result<void> done = read_at(header.e_shoff, std::as_writable_bytes(std::span(section_headers)));
  if (!done) return done;

  std::string names;
  if (names_index < count && section_headers[names_index].sh_size <= kMaxTable) {
    Result<std::string> table = read(section_headers[names_index].sh_offset, section_headers[names_index].sh_size);
    if (table) names = std::move(*table);
  }
  sections.reserve(count);
  for (const Elf64_Shdr& section : section_headers) {
    sections.push_back({std::string(string_at(names, section.sh_name)), section.sh_addr, section.sh_offset,
                        section.sh_size, section.sh_type, section.sh_flags});
  }
  return {};
}

// Sections first: in a separate debug file the segments' offsets are those of the stripped file.
void ElfFile::Impl::find_identity() {
  for (const ElfSection& section : sections) {
    if (section.type != SHT_NOTE || section.size > kMaxNotes || !build_id.empty()) continue;
    Result<std::string> notes = read(section.file_offset, section.size);
    if (notes) build_id = find_build_id(*notes);
  }
  for (const Elf64_Phdr& segment : program_headers) {
    if (segment.p_type != PT_NOTE || segment.p_filesz > kMaxNotes || !build_id.empty()) continue;
    Result<std::string> notes = read(segment.p_offset, segment.p_filesz);
    if (notes) build_id = find_build_id(*notes);
  }
}

std::vector<Elf64_Dyn> ElfFile::Impl::dynamic_entries() const {
  for (const Elf64_Phdr& segment : program_headers) {
    if (segment.p_type != PT_DYNAMIC || segment.p_filesz > kMaxDynamic) continue;
    std::vector<Elf64_Dyn> entries(segment.p_filesz / sizeof(Elf64_Dyn));
    Result<void> done = read_at(segment.p_offset, std::as_writable_bytes(std::span(entries)));
    if (!done) return {};
    auto end = std::find_if(entries.begin(), entries.end(), [](const Elf64_Dyn& e) { return e.d_tag == DT_NULL; });
    entries.erase(end, entries.end());
    return entries;
  }
  return {};
}

std::optional<std::uint64_t> ElfFile::Impl::offset_of_vaddr(std::uint64_t vaddr) const {
  for (const ElfSegment& segment : segments) {
    if (vaddr >= segment.vaddr && vaddr - segment.vaddr < segment.file_size)
      return segment.file_offset + (vaddr - segment.vaddr);
  }
  return std::nullopt;
}

void ElfFile::Impl::read_symbols() const {
  // The format allows one table of each kind; a file with thousands wants our memory.
  for (std::uint32_t wanted : {SHT_SYMTAB, SHT_DYNSYM}) {
    auto found = std::find_if(section_headers.begin(), section_headers.end(),
                              [wanted](const Elf64_Shdr& section) { return section.sh_type == wanted; });
    if (found != section_headers.end()) read_symbol_section(*found);
  }
  if (section_headers.empty()) read_dynamic_symbols();
}

void ElfFile::Impl::read_symbol_section(const Elf64_Shdr& table) const {
  if (table.sh_link >= section_headers.size() || table.sh_entsize != sizeof(Elf64_Sym)) return;
  const Elf64_Shdr& names = section_headers[table.sh_link];
  if (table.sh_size > kMaxTable || names.sh_size > kMaxTable || names.sh_type != SHT_STRTAB) return;
  Result<std::string> entries = read(table.sh_offset, table.sh_size);
  Result<std::string> strings = read(names.sh_offset, names.sh_size);
  if (entries && strings) add_symbols(*entries, std::move(*strings), table.sh_type == SHT_DYNSYM);
}

// For files without section headers: the dynamic linker's own way to the symbols. Their number stands nowhere;
// the string table follows the symbols in what linkers write, else it is the number of names that are hashed.
void ElfFile::Impl::read_dynamic_symbols() const {
  std::uint64_t symbols_at = 0, strings_at = 0, strings_size = 0, hash_at = 0;
  for (const Elf64_Dyn& entry : dynamic_entries()) {
    if (entry.d_tag == DT_SYMTAB) symbols_at = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRTAB) strings_at = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
    if (entry.d_tag == DT_HASH) hash_at = entry.d_un.d_ptr;
  }
  std::uint64_t count = 0;
  if (hash_at != 0) {
    std::uint32_t counts[2] = {};
    std::optional<std::uint64_t> offset = offset_of_vaddr(hash_at);
    if (offset && read_at(*offset, std::as_writable_bytes(std::span(counts)))) count = counts[1];
  } else if (strings_at > symbols_at) {
    count = (strings_at - symbols_at) / sizeof(Elf64_Sym);
  }
  std::optional<std::uint64_t> symbols_offset = offset_of_vaddr(symbols_at);
  std::optional<std::uint64_t> strings_offset = offset_of_vaddr(strings_at);
  if (!symbols_offset || !strings_offset || count * sizeof(Elf64_Sym) > kMaxTable || strings_size > kMaxTable) return;
  Result<std::string> entries = read(*symbols_offset, count * sizeof(Elf64_Sym));
  Result<std::string> strings = read(*strings_offset, strings_size);
  if (entries && strings) add_symbols(*entries, std::move(*strings), true);
}

void ElfFile::Impl::add_symbols(std::string_view entries, std::string strings, bool dynamic) const {
  string_tables.push_back(std::move(strings));
  std::string_view names = string_tables.back();
  std::size_t count = entries.size() / sizeof(Elf64_Sym);
  symbols.reserve(symbols.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    Elf64_Sym raw;
    std::memcpy(&raw, entries.data() + i * sizeof raw, sizeof raw);
    std::uint8_t type = ELF64_ST_TYPE(raw.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_OBJECT && type != STT_NOTYPE) continue;
    std::string_view name = without_version(string_at(names, raw.st_name));
    if (name.empty()) continue;
    symbols.push_back({name, raw.st_value, raw.st_size, type, static_cast<std::uint8_t>(ELF64_ST_BIND(raw.st_info)),
                       dynamic, raw.st_shndx != SHN_UNDEF});
  }
}

ElfFile::ElfFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ElfFile::ElfFile(ElfFile&&) noexcept = default;
ElfFile& ElfFile::operator=(ElfFile&&) noexcept = default;
ElfFile::~ElfFile() = default;

Result<ElfFile> ElfFile::open(const std::string& path, const std::string& root) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  Result<RegularFile> file = open_regular(path, root);
  if (!file) return file.error();
  impl->fd = std::move(file->fd);
  impl->size = file->size;
  Result<void> loaded = impl->load();
  if (!loaded) return loaded.error();
  return ElfFile(std::move(impl));
}

Result<ElfFile> ElfFile::from_bytes(std::string bytes, std::string name) {
  auto impl = std::make_unique<Impl>();
  impl->path = std::move(name);
  impl->bytes = std::move(bytes);
  impl->size = impl->bytes.size();
  Result<void> loaded = impl->load();
  if (!loaded) return loaded.error();
  return ElfFile(std::move(impl));
}

const std::string& ElfFile::path() const { return impl_->path; }
const std::string& ElfFile::build_id() const { return impl_->build_id; }
std::uint16_t ElfFile::machine() const { return impl_->header.e_machine; }
std::uint16_t ElfFile::type() const { return impl_->header.e_type; }
std::uint64_t ElfFile::entry() const { return impl_->header.e_entry; }
std::span<const ElfSegment> ElfFile::segments() const { return impl_->segments; }
std::span<const ElfSection> ElfFile::sections() const { return impl_->sections; }
std::uint64_t ElfFile::file_size() const { return impl_->size; }

const ElfSection* ElfFile::section(std::string_view name) const {
  for (const ElfSection& section : impl_->sections) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

bool ElfFile::has_interpreter() const {
  return std::any_of(impl_->program_headers.begin(), impl_->program_headers.end(),
                     [](const Elf64_Phdr& segment) { return segment.p_type == PT_INTERP; });
}

std::vector<std::string> ElfFile::needed() const {
  std::vector<Elf64_Dyn> entries = impl_->dynamic_entries();
  std::uint64_t strings_at = 0, strings_size = 0;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_STRTAB) strings_at = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
  }
  std::optional<std::uint64_t> offset = impl_->offset_of_vaddr(strings_at);
  if (!offset || strings_size > kMaxTable) return {};
  Result<std::string> strings = impl_->read(*offset, strings_size);
  if (!strings) return {};
  std::vector<std::string> names;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag != DT_NEEDED) continue;
    std::string_view name = string_at(*strings, entry.d_un.d_val);
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

Result<void> ElfFile::read_at(std::uint64_t file_offset, std::span<std::byte> to) const {
  return impl_->read_at(file_offset, to);
}

Result<std::string> ElfFile::section_bytes(std::string_view name, std::size_t limit) const {
  const ElfSection* section = this->section(name);
  if (!section) return impl_->bad(fmt::format("no section {}", name));
  if (section->type == SHT_NOBITS) return impl_->bad(fmt::format("section {} has no contents", name));
  if (section->size > limit) return impl_->bad(fmt::format("section {} has {} bytes", name, section->size));
  Result<std::string> raw = impl_->read(section->file_offset, section->size);
  if (!raw) return raw.error().because_of(fmt::format("read section {}", name));
  if (!(section->flags & SHF_COMPRESSED)) return raw;

  Elf64_Chdr header{};
  if (raw->size() < sizeof header) return impl_->bad(fmt::format("section {} is cut off", name));
  std::memcpy(&header, raw->data(), sizeof header);
  std::string_view compressed = std::string_view(*raw).substr(sizeof header);
  if (header.ch_size > limit) return impl_->bad(fmt::format("section {} has {} bytes", name, header.ch_size));
  Result<std::string> content = impl_->bad(fmt::format("section {} has compression {}", name, header.ch_type));
  if (header.ch_type == ELFCOMPRESS_ZLIB) content = inflate_zlib(compressed, header.ch_size);
  if (header.ch_type == 2 /* zstd; not yet in the C library's elf.h */)
    content = inflate_zstd(compressed, header.ch_size);
  if (!content) return content.error().because_of(fmt::format("read section {} of {}", name, impl_->path));
  if (content->size() != header.ch_size) return impl_->bad(fmt::format("section {} is shorter than it says", name));
  return content;
}

std::shared_ptr<const std::string> ElfFile::shared_section_bytes(std::string_view name, std::size_t limit) const {
  std::lock_guard lock(impl_->shared_mutex);
  std::weak_ptr<const std::string>& known = impl_->shared_sections[std::string(name)];
  std::shared_ptr<const std::string> shared = known.lock();
  if (shared) return shared;
  Result<std::string> content = section_bytes(name, limit);
  if (content) shared = std::make_shared<const std::string>(std::move(*content));
  known = shared;
  return shared;
}

Result<std::string> ElfFile::bytes_at(std::uint64_t vaddr, std::size_t size) const {
  for (const ElfSegment& segment : impl_->segments) {
    if (vaddr < segment.vaddr || !inside(vaddr - segment.vaddr, size, segment.memory_size)) continue;
    std::uint64_t skip = vaddr - segment.vaddr;
    std::uint64_t in_file = skip < segment.file_size ? std::min<std::uint64_t>(size, segment.file_size - skip) : 0;
    if (size > kMaxTable) break;
    if (in_file == 0) return std::string(size, '\0');
    if (segment.file_offset + skip < skip) break;
    Result<std::string> content = impl_->read(segment.file_offset + skip, in_file);
    if (content) content->resize(size, '\0');
    return content;
  }
  return impl_->bad(fmt::format("no segment holds {} bytes at address {:#x}", size, vaddr));
}

const std::vector<ElfSymbol>& ElfFile::symbols() const {
  std::call_once(impl_->symbols_once, [this] { impl_->read_symbols(); });
  return impl_->symbols;
}

std::optional<std::uint64_t> ElfFile::vaddr_of_offset(std::uint64_t file_offset) const {
  std::optional<std::uint64_t> other;
  for (const ElfSegment& segment : impl_->segments) {
    if (file_offset < segment.file_offset || file_offset - segment.file_offset >= segment.file_size) continue;
    std::uint64_t vaddr = segment.vaddr + (file_offset - segment.file_offset);
    if (segment.executable) return vaddr;
    if (!other) other = vaddr;
  }
  return other;
}

std::optional<std::uint64_t> ElfFile::vaddr_of_mapping(std::uint64_t file_offset, bool executable) const {
  constexpr std::uint64_t kPage = 4096;
  std::optional<std::uint64_t> best;
  int best_fit = -1;
  for (const ElfSegment& segment : impl_->segments) {
    std::uint64_t first_page = segment.file_offset & ~(kPage - 1);
    bool behind = file_offset >= segment.file_offset && file_offset - segment.file_offset >= segment.file_size;
    if (file_offset < first_page || behind || segment.file_size == 0) continue;
    int fit = 2 * (segment.executable == executable) + (file_offset == first_page);
    if (fit <= best_fit) continue;
    best_fit = fit;
    best = segment.vaddr + (file_offset - segment.file_offset);
  }
  return best;
}

std::optional<std::uint64_t> ElfFile::offset_of_vaddr(std::uint64_t vaddr) const {
  return impl_->offset_of_vaddr(vaddr);
}

}  // namespace dwell
