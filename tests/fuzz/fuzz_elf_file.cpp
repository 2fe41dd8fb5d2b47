// SPDX-License-Identifier: Apache-2.0
// An ELF file: everything that can be asked of it, and the table of its symbols.
#include <cstdlib>
#include <string>

#include "symbolizer/symbol_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Result<ElfFile> opened = ElfFile::from_bytes(bytes, "input");
  if (!opened) return 0;
  auto elf = std::make_shared<const ElfFile>(std::move(*opened));
  for (const ElfSection& section : elf->sections()) (void)elf->section_bytes(section.name, 1 << 20);
  for (const ElfSegment& segment : elf->segments()) {
    Result<std::string> content = elf->bytes_at(segment.vaddr, 64);
    if (content && content->size() != 64) std::abort();
    elf->vaddr_of_offset(segment.file_offset);
    elf->vaddr_of_mapping(segment.file_offset, segment.executable);
    elf->offset_of_vaddr(segment.vaddr + segment.memory_size);
  }
  elf->needed();
  for (const ElfSymbol& symbol : elf->symbols()) {
    if (symbol.name.empty() || symbol.name.size() > size) std::abort();
  }
  SymbolTable table = SymbolTable::build({elf}, code_ranges(*elf));
  for (const AddressRange& range : code_ranges(*elf)) {
    for (std::uint64_t address : {range.start, range.end - 1, range.end}) {
      const FunctionSymbol* symbol = table.find(address);
      if (symbol && (symbol->name.empty() || symbol->start > address)) std::abort();
    }
  }
  return 0;
}
