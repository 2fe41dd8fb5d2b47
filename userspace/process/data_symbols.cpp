// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/data_symbols.h"

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
  return !mapping || mapping->shared;  // of memory mapped since, nothing is known
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
  std::optional<std::uint64_t> vaddr = module->elf->vaddr_of_mapping(mapping.file_offset, mapping.executable);
  if (!vaddr) return nullptr;
  module->bias = mapping.start - *vaddr;
  DebugSearch search;
  search.foreign_root = !has_our_root(pid_);
  search.roots.insert(search.roots.begin(), fmt::format("/proc/{}/root", living_thread(pid_)));
  module->debug = find_debug_file(module->elf.get(), module->elf->build_id(), mapping.path, search).elf;
  add_objects(module->elf.get(), *module);
  add_objects(module->debug.get(), *module);
  module->by_address.build();
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

void DataSymbols::add_objects(const ElfFile* elf, Module& module) {
  if (!elf) return;
  for (const ElfSymbol& symbol : elf->symbols()) {
    if (symbol.type != STT_OBJECT || !symbol.defined || symbol.size == 0 || symbol.vaddr + symbol.size < symbol.vaddr) continue;
    module.by_address.add(symbol.vaddr, symbol.vaddr + symbol.size, static_cast<std::uint32_t>(module.objects.size()));
    module.objects.push_back(&symbol);
  }
}

std::optional<DataObject> DataSymbols::object_around(std::uint64_t address) {
  const Module* module = module_around(address);
  if (!module) return std::nullopt;
  std::uint32_t found = module->by_address.find(address - module->bias);
  if (found == IntervalMap::kNone) return std::nullopt;
  const ElfSymbol& symbol = *module->objects[found];
  std::string name = demangle(symbol.name, DemangleWidth::kShort);
  if (module->is_library) name += " of " + module->name;
  return DataObject{std::move(name), symbol.vaddr + module->bias, symbol.size};
}

std::string DataSymbols::place_in_module(std::uint64_t address) {
  const Module* module = module_around(address);
  return module ? fmt::format("{}+{:#x}", module->name, address - module->bias) : "";
}

std::string DataSymbols::describe(std::uint64_t address) {
  if (std::optional<DataObject> object = object_around(address)) {
    if (object->start == address) return object->name;
    std::size_t name_end = std::min(object->name.find(" of "), object->name.size());
    return object->name.insert(name_end, fmt::format("+{}", address - object->start));
  }
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
