// SPDX-License-Identifier: Apache-2.0
// ElfFile: one ELF file as dwell needs it: identity, segments, sections, symbols, and the way between the
// three address spaces. Read with pread, never a mapping: the file belongs to the target and may change or
// shrink under us. Nothing in here trusts a number from the file.
//
// Not 64-bit little-endian: refused with Exit::kUnsupported.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct ElfSegment {  // PT_LOAD
  std::uint64_t vaddr, file_offset, file_size, memory_size;
  bool executable;
};

struct ElfSection {
  std::string name;
  std::uint64_t vaddr, file_offset, size;
  std::uint32_t type;   // SHT_*
  std::uint64_t flags;  // SHF_*
};

struct ElfSymbol {
  std::string_view name;  // lives as long as the ElfFile; without "@VERSION"
  std::uint64_t vaddr, size;
  std::uint8_t type;     // STT_*, STT_GNU_IFUNC included
  std::uint8_t binding;  // STB_*
  bool dynamic;          // from .dynsym
  bool defined;
};

class ElfFile {
 public:
  // By open_regular(): `root` is "", or a folder that links in `path` do not lead out of.
  static Result<ElfFile> open(const std::string& path, const std::string& root = "");
  // From bytes that we hold (the vDSO, a .gnu_debugdata payload, a fuzzer's input). `name` is for messages.
  static Result<ElfFile> from_bytes(std::string bytes, std::string name);

  ElfFile(ElfFile&&) noexcept;
  ElfFile& operator=(ElfFile&&) noexcept;
  ~ElfFile();

  const std::string& path() const;
  const std::string& build_id() const;  // lower-case hex of NT_GNU_BUILD_ID, "" if there is none
  std::uint16_t machine() const;        // EM_*
  std::uint16_t type() const;           // ET_EXEC, ET_DYN
  std::uint64_t entry() const;
  std::span<const ElfSegment> segments() const;
  std::span<const ElfSection> sections() const;
  const ElfSection* section(std::string_view name) const;  // null: none
  bool has_interpreter() const;                            // PT_INTERP
  std::vector<std::string> needed() const;                 // DT_NEEDED

  // Contents, decompressed if SHF_COMPRESSED; bounded by `limit` bytes.
  Result<std::string> section_bytes(std::string_view name, std::size_t limit = std::size_t{1} << 30) const;
  // The same, one copy for all who hold it at the same time, in whichever threads. Null if it can't be read.
  std::shared_ptr<const std::string> shared_section_bytes(std::string_view name, std::size_t limit) const;
  // `size` bytes of the loaded image at vaddr (zeros where memory_size exceeds file_size).
  Result<std::string> bytes_at(std::uint64_t vaddr, std::size_t size) const;

  // As many bytes of the file at `file_offset` as `to` holds; a short file is an error.
  Result<void> read_at(std::uint64_t file_offset, std::span<std::byte> to) const;
  std::uint64_t file_size() const;

  // .symtab, then .dynsym: functions, objects and untyped labels, in file order. Read once, kept; safe to call
  // from several threads.
  const std::vector<ElfSymbol>& symbols() const;

  std::optional<std::uint64_t> vaddr_of_offset(std::uint64_t file_offset) const;
  // The same of the beginning of a mapping. Segments are mapped by whole pages, and where linkers pack them (lld, gold, mold) a page of
  // the file belongs to two: the end of one and the beginning of the next, which lies a page further on in memory.
  std::optional<std::uint64_t> vaddr_of_mapping(std::uint64_t file_offset, bool executable) const;
  std::optional<std::uint64_t> offset_of_vaddr(std::uint64_t vaddr) const;

 private:
  struct Impl;
  explicit ElfFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
