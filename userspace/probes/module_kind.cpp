// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/module_kind.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "userspace/base/living_thread.h"
#include "userspace/process/auxv.h"

namespace dwell {

namespace {

bool defines(const ElfFile& elf, std::string_view name) {
  return std::any_of(elf.symbols().begin(), elf.symbols().end(),
                     [&](const ElfSymbol& symbol) { return symbol.defined && symbol.name == name; });
}

// Where the kernel put the program's loader; 0: it has none, or the loader was started as the program.
bool is_at_loaders_base(pid_t pid, const Mapping& text, const ElfFile& elf) {
  std::optional<std::uint64_t> base = auxiliary_value(pid, AT_BASE), vaddr = elf.vaddr_of_mapping(text.file_offset, text.executable);
  if (!base || !vaddr) return false;
  if (*base) return text.start - *vaddr == *base;
  std::optional<std::uint64_t> entry = auxiliary_value(pid, AT_ENTRY);
  bool is_program = entry && *entry >= text.start && *entry < text.end;
  return is_program && !elf.has_interpreter() && defines(elf, "__tls_get_addr");
}

}  // namespace

bool is_bare_loader(pid_t pid, const Mapping& text, const ElfFile& elf) {
  return is_at_loaders_base(pid, text, elf) && !defines(elf, "__libc_start_main");
}

// Allocators that are linked in leave their messages behind, whatever was stripped.
std::string hidden_allocator(const ElfFile& elf) {
  constexpr std::size_t kMostText = std::size_t{64} << 20;
  constexpr std::pair<const char*, std::string_view> kMessages[] = {
      {"jemalloc", "<jemalloc>: "}, {"tcmalloc", "tcmalloc: large alloc"}, {"mimalloc", "mimalloc: warning: "}};
  bool is_program = elf.has_interpreter() || elf.needed().empty();
  if (!is_program || elf.section(".symtab")) return "";
  Result<std::string> text = elf.section_bytes(".rodata", kMostText);
  if (!text) return "";
  for (const auto& [name, message] : kMessages)
    if (text->find(message) != std::string::npos) return name;
  return "";
}

ProgramKind kind_of(const ElfFile& elf) {
  return {.is_static = !elf.has_interpreter() && elf.needed().empty(),
          .stripped = !elf.section(".symtab"),
          .go = elf.section(".gopclntab") || elf.section(".go.buildinfo") || elf.section(".note.go.buildid")};
}

bool is_go_program(pid_t pid) {
  Result<ElfFile> program = ElfFile::open(fmt::format("/proc/{}/exe", living_thread(pid)));
  return program && kind_of(*program).go;
}

}  // namespace dwell
