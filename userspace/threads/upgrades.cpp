// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/upgrades.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

#include "symbolizer/elf_file.h"
#include "userspace/probes/forwarders.h"
#include "userspace/probes/function_ranges.h"

namespace dwell {
namespace {

constexpr std::size_t kMostFrames = 16;
constexpr std::uint64_t kMostCode = std::uint64_t{64} << 10;

}  // namespace

struct UpgradeFinder::Module {
  Module(ElfFile file, std::uint64_t at) : elf(std::move(file)), targets(elf), ranges(elf), bias(at) {
    for (const ElfSymbol& symbol : elf.symbols())
      if (symbol.defined && symbol.vaddr) own.try_emplace(symbol.vaddr, symbol.name);
  }

  std::string name_at(std::uint64_t address) const {
    if (std::optional<std::string> import = targets.import_at(address - bias)) return *import;
    auto known = own.find(address - bias);
    return known == own.end() ? "" : std::string(known->second);
  }

  ElfFile elf;
  CallTargets targets;
  FunctionRanges ranges;
  std::uint64_t bias;  // address in the process - address in the file
  absl::flat_hash_map<std::uint64_t, std::string_view> own;  // symbols by address in the file
};

UpgradeFinder::UpgradeFinder(pid_t pid, std::vector<Mapping> mappings) : memory_(pid), mappings_(std::move(mappings)) {}
UpgradeFinder::~UpgradeFinder() = default;

UpgradeFinder::Module* UpgradeFinder::module_at(std::uint64_t address) {
  auto after = std::ranges::upper_bound(mappings_, address, {}, &Mapping::start);
  if (after == mappings_.begin() || address >= (after - 1)->end || !(after - 1)->is_file()) return nullptr;
  const Mapping& mapping = *(after - 1);
  auto [known, fresh] = modules_.try_emplace(mapping.path);
  if (!fresh) return known->second.get();
  Result<std::string> path = path_to_open(memory_.pid(), mapping);
  if (!path) return nullptr;
  Result<ElfFile> elf = ElfFile::open(*path);
  if (!elf) return nullptr;
  if (std::optional<std::uint64_t> vaddr = elf->vaddr_of_mapping(mapping.file_offset, mapping.executable))
    known->second = std::make_unique<Module>(std::move(*elf), mapping.start - *vaddr);
  return known->second.get();
}

// Of the function around a call that returns to this address.
std::optional<FrameCode> UpgradeFinder::code_around(std::uint64_t returns_to) {
  Module* module = module_at(returns_to - 1);
  std::optional<BranchRange> range = module ? module->ranges.containing(returns_to - module->bias - 1) : std::nullopt;
  if (!range || range->end - range->start > kMostCode) return std::nullopt;
  Result<std::string> bytes = module->elf.bytes_at(range->start, range->end - range->start);
  if (!bytes) return std::nullopt;
  auto name_in = [this, module](std::uint64_t slot) {
    if (std::optional<std::string> import = module->targets.import_in_slot(slot - module->bias)) return *import;
    std::optional<std::uint64_t> address = memory_.load<std::uint64_t>(slot);
    Module* called = address ? module_at(*address) : nullptr;
    return called ? called->name_at(*address) : std::string();
  };
  return FrameCode{range->start + module->bias, std::move(*bytes), returns_to, [module](std::uint64_t address) { return module->name_at(address); }, name_in};
}

std::optional<std::size_t> UpgradeFinder::find(std::span<const RemoteFrame> callers, std::uint64_t lock) {
  std::vector<FrameCode> frames;
  for (const RemoteFrame& frame : callers.first(std::min(callers.size(), kMostFrames))) {
    std::optional<FrameCode> code = frame.exact ? std::nullopt : code_around(frame.pc);
    if (!code) break;
    frames.push_back(std::move(*code));
  }
  std::optional<ReadHold> hold = find_read_hold(frames, lock);
  return hold ? std::optional(hold->frame) : std::nullopt;
}

}  // namespace dwell
