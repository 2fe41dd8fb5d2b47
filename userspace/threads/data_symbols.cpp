// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/data_symbols.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>

#include "symbolizer/debug_files.h"
#include "symbolizer/demangle.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/open_regular.h"

namespace dwell {
namespace {

constexpr std::uint64_t kFarthestZeros = std::uint64_t{1}
                                         << 30;  // of a module's zeroed data from its file's end

const ElfSymbol* object_at(const ElfFile& elf, std::uint64_t vaddr) {
  const ElfSymbol* best = nullptr;
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (symbol.type != STT_OBJECT || !symbol.defined || symbol.size == 0) continue;
    if (vaddr < symbol.vaddr || vaddr - symbol.vaddr >= symbol.size) continue;
    if (!best || symbol.size < best->size) best = &symbol;
  }
  return best;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

const Mapping* DataSymbols::mapping_of(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(mappings_, address, {}, &Mapping::start);
  if (after == mappings_.begin()) return nullptr;
  const Mapping& mapping = *(after - 1);
  return address < mapping.end ? &mapping : nullptr;
}

bool DataSymbols::is_shared(std::uint64_t address) const {
  const Mapping* mapping = mapping_of(address);
  return mapping && mapping->shared;
}

const DataSymbols::Module* DataSymbols::module_of(const Mapping& mapping) {
  auto [known, fresh] = modules_.try_emplace(mapping.path);
  if (!fresh) return known->second.get();
  Result<std::string> path = path_to_open(pid_, mapping);
  if (!path) return nullptr;
  Result<ElfFile> elf = ElfFile::open(*path);
  if (!elf) return nullptr;
  auto module = std::make_unique<Module>();
  module->name = last_part(mapping.path);
  module->is_library = module->name.find(".so") != std::string::npos;
  module->elf = std::make_shared<const ElfFile>(std::move(*elf));
  // Any piece of the file tells where all of it is.
  std::optional<std::uint64_t> vaddr = module->elf->vaddr_of_offset(mapping.file_offset);
  if (!vaddr) return nullptr;
  module->bias = mapping.start - *vaddr;
  DebugSearch search;
  search.foreign_root = !has_our_root(pid_);
  search.roots.insert(search.roots.begin(), fmt::format("/proc/{}/root", living_thread(pid_)));
  module->debug = find_debug_file(module->elf.get(), module->elf->build_id(), mapping.path, search).elf;
  known->second = std::move(module);
  return known->second.get();
}

// Zeroed data lies behind the last piece of its file, in memory that belongs to no file.
const DataSymbols::Module* DataSymbols::module_around(std::uint64_t address) {
  auto after = std::ranges::upper_bound(mappings_, address, {}, &Mapping::start);
  for (auto mapping = after; mapping != mappings_.begin();) {
    --mapping;
    if (address - mapping->start > kFarthestZeros) break;
    if (!mapping->is_file()) continue;
    // A page at the border of two pieces is mapped from either; a piece of code says it best.
    for (const Mapping& piece : mappings_)
      if (piece.executable && piece.inode == mapping->inode && piece.device() == mapping->device())
        return module_of(piece);
    return nullptr;
  }
  return nullptr;
}

std::optional<std::string> DataSymbols::symbol_at(std::uint64_t address) {
  const Module* module = module_around(address);
  if (!module) return std::nullopt;
  std::uint64_t vaddr = address - module->bias;
  const ElfSymbol* symbol = object_at(*module->elf, vaddr);
  if (!symbol && module->debug) symbol = object_at(*module->debug, vaddr);
  if (!symbol) return std::nullopt;
  std::string words = demangle(symbol->name, DemangleWidth::kShort);
  if (vaddr != symbol->vaddr) words += fmt::format("+{}", vaddr - symbol->vaddr);
  if (module->is_library) words += " of " + module->name;
  return words;
}

std::string DataSymbols::describe(std::uint64_t address) {
  if (std::optional<std::string> symbol = symbol_at(address)) return *symbol;
  std::string words = fmt::format("at {:#x}", address);
  const Mapping* mapping = mapping_of(address);
  if (!mapping) return words;
  if (mapping->path == "[heap]") return words + " on the heap";
  if (mapping->path == "[stack]") return words + " on the main thread's stack";
  if (mapping->shared)
    return words + " in shared memory" + (mapping->path.empty() ? "" : " " + mapping->path);
  if (mapping->is_file()) return words + " in " + std::string(last_part(mapping->path));
  return words;
}

}  // namespace dwell
