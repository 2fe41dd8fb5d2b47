// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/module_data.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace dwell::memory {
namespace {

constexpr std::size_t kMostHeaders = 64;
constexpr std::uint64_t kPageMask = heap::kPageSize - 1;

std::vector<Elf64_Phdr> headers_at(const heap::Target& target, std::uint64_t start) {
  std::optional<Elf64_Ehdr> header = target.memory.load<Elf64_Ehdr>(start);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_phentsize != sizeof(Elf64_Phdr)) return {};
  std::vector<Elf64_Phdr> headers(std::min<std::size_t>(header->e_phnum, kMostHeaders));
  std::size_t size = headers.size() * sizeof(Elf64_Phdr);
  if (!target.memory.read(start + header->e_phoff, headers.data(), size)) return {};
  return headers;
}

void add_module(const heap::Target& target, std::uint64_t start, std::vector<heap::Range>& found) {
  std::vector<Elf64_Phdr> headers = headers_at(target, start);
  auto is_load = [](const Elf64_Phdr& header) { return header.p_type == PT_LOAD; };
  auto first = std::ranges::find_if(headers, is_load);
  if (first == headers.end()) return;
  std::uint64_t base = start - (first->p_vaddr & ~kPageMask);
  for (const Elf64_Phdr& header : headers) {
    if (!is_load(header) || header.p_memsz <= header.p_filesz) continue;
    std::uint64_t from = (base + header.p_vaddr + header.p_filesz + kPageMask) & ~kPageMask;
    std::uint64_t to = (base + header.p_vaddr + header.p_memsz + kPageMask) & ~kPageMask;
    if (from < to) found.push_back({from, to});
  }
}

}  // namespace

std::vector<heap::Range> find_zeroed_data(const heap::Target& target) {
  std::vector<heap::Range> found;
  for (const Mapping& mapping : target.mappings)
    if (mapping.is_file() && mapping.file_offset == 0 && mapping.readable) add_module(target, mapping.start, found);
  heap::sort_apart(found);
  return found;
}

}  // namespace dwell::memory
