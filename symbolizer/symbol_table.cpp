// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbol_table.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <unordered_map>

#include "userspace/base/cursor.h"

namespace dwell {

struct SymbolTable::Candidate {
  std::string_view name;
  std::uint64_t start, size;
  bool label;
  bool resolver;
  bool exported;
  std::uint8_t binding_rank;  // 0 is best
  std::uint8_t underscores;

  auto preference() const {
    return std::make_tuple(resolver, !exported, underscores, binding_rank, name.size(), name);
  }
};

namespace {

std::uint8_t binding_rank(std::uint8_t binding) {
  if (binding == STB_GLOBAL || binding == STB_GNU_UNIQUE) return 0;
  return binding == STB_WEAK ? 1 : 2;
}

std::uint8_t leading_underscores(std::string_view name) {
  // The underscore of a mangled name is no sign of being internal.
  if (name.starts_with("_Z") || name.starts_with("_R")) return 0;
  return static_cast<std::uint8_t>(std::min<std::size_t>(name.find_first_not_of('_'), 255));
}

// The end of the code range around `address`; 0 if it is not code.
std::uint64_t code_end(const std::vector<AddressRange>& code, std::uint64_t address) {
  auto next = std::upper_bound(code.begin(), code.end(), address,
                               [](std::uint64_t a, const AddressRange& range) { return a < range.start; });
  if (next == code.begin() || address >= std::prev(next)->end) return 0;
  return std::prev(next)->end;
}

bool is_function(const ElfSymbol& symbol) {
  return symbol.type == STT_FUNC || symbol.type == STT_GNU_IFUNC;
}

}  // namespace

SymbolTable SymbolTable::build(std::vector<std::shared_ptr<const ElfFile>> files, std::vector<AddressRange> code) {
  SymbolTable table;
  table.files_ = std::move(files);
  std::vector<Candidate> candidates;
  for (const std::shared_ptr<const ElfFile>& file : table.files_) {
    for (const ElfSymbol& symbol : file->symbols()) {
      bool label = symbol.type == STT_NOTYPE;
      if (!symbol.defined || !(label || is_function(symbol)) || symbol.name.front() == '$') continue;
      if (code_end(code, symbol.vaddr) == 0) continue;
      candidates.push_back({symbol.name, symbol.vaddr, symbol.size, label, symbol.type == STT_GNU_IFUNC,
                            symbol.dynamic && symbol.binding != STB_LOCAL, binding_rank(symbol.binding),
                            leading_underscores(symbol.name)});
    }
    for (PltStub& stub : plt_stubs(*file)) {
      table.own_names_.push_back(stub.target + "@plt");
      candidates.push_back({table.own_names_.back(), stub.start, stub.size, false, false, false, 2, 0});
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.start != b.start) return a.start < b.start;
    if (a.label != b.label) return b.label;
    return a.preference() < b.preference();
  });
  table.add_groups(candidates, code);
  return table;
}

// Candidates of one address are neighbours, the best name first.
void SymbolTable::add_groups(std::vector<Candidate>& candidates, const std::vector<AddressRange>& code) {
  struct Label {
    std::uint64_t start, end;
    std::uint32_t number;
  };
  std::vector<Label> labels;
  for (std::size_t at = 0; at < candidates.size();) {
    const Candidate& best = candidates[at];
    std::size_t next = at;
    std::uint64_t size = 0;
    for (; next < candidates.size() && candidates[next].start == best.start; ++next) {
      if (candidates[next].label == best.label) size = std::max(size, candidates[next].size);
    }
    std::uint64_t limit = code_end(code, best.start);
    std::uint64_t end = size != 0 && size < limit - best.start ? best.start + size : limit;
    // One that does not say how long it is reaches to the next.
    if (size == 0 && next < candidates.size()) end = std::min(end, candidates[next].start);
    std::uint32_t number = static_cast<std::uint32_t>(symbols_.size());
    symbols_.push_back({best.name, best.start, best.exported, best.resolver});
    if (best.label) {
      labels.push_back({best.start, end, number});
    } else {
      functions_.add(best.start, end, number);
    }
    at = next;
  }
  functions_.build();
  for (const Label& label : labels) {
    if (functions_.find(label.start) == IntervalMap::kNone) labels_.add(label.start, label.end, label.number);
  }
  labels_.build();
}

const FunctionSymbol* SymbolTable::find(std::uint64_t address) const {
  std::uint32_t number = functions_.find(address);
  if (number == IntervalMap::kNone) number = labels_.find(address);
  return number == IntervalMap::kNone ? nullptr : &symbols_[number];
}

std::vector<AddressRange> code_ranges(const ElfFile& elf) {
  std::vector<AddressRange> ranges;
  auto add = [&](std::uint64_t start, std::uint64_t size) {
    if (size != 0 && start + size > start) ranges.push_back({start, start + size});
  };
  for (const ElfSection& section : elf.sections()) {
    if ((section.flags & SHF_EXECINSTR) && (section.flags & SHF_ALLOC)) add(section.vaddr, section.size);
  }
  if (ranges.empty()) {
    for (const ElfSegment& segment : elf.segments()) {
      if (segment.executable) add(segment.vaddr, segment.memory_size);
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const AddressRange& a, const AddressRange& b) { return a.start < b.start; });
  return ranges;
}

namespace {

constexpr std::size_t kMaxPlt = std::size_t{16} << 20;
constexpr std::size_t kStub = 16;

// Slots of the global offset table, and what the dynamic linker puts there.
std::unordered_map<std::uint64_t, std::string> slot_targets(const ElfFile& elf) {
  std::unordered_map<std::uint64_t, std::string> targets;
  Result<std::string> symbols = elf.section_bytes(".dynsym", kMaxPlt);
  Result<std::string> names = elf.section_bytes(".dynstr", kMaxPlt);
  if (!symbols || !names) return targets;
  for (const char* section : {".rela.plt", ".rela.dyn"}) {
    Result<std::string> relocations = elf.section_bytes(section, kMaxPlt);
    if (!relocations) continue;
    for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= relocations->size(); at += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation;
      std::memcpy(&relocation, relocations->data() + at, sizeof relocation);
      std::uint32_t type = ELF64_R_TYPE(relocation.r_info);
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
      std::size_t entry = std::size_t{ELF64_R_SYM(relocation.r_info)} * sizeof(Elf64_Sym);
      Elf64_Sym symbol;
      if (entry + sizeof symbol > symbols->size()) continue;
      std::memcpy(&symbol, symbols->data() + entry, sizeof symbol);
      if (symbol.st_name >= names->size()) continue;
      std::string_view name = std::string_view(*names).substr(symbol.st_name);
      name = name.substr(0, name.find('\0'));
      if (!name.empty()) targets.emplace(relocation.r_offset, name);
    }
  }
  return targets;
}

}  // namespace

std::vector<PltStub> plt_stubs(const ElfFile& elf) {
  std::vector<PltStub> stubs;
  if (elf.machine() != EM_X86_64) return stubs;
  std::unordered_map<std::uint64_t, std::string> targets;
  for (const char* name : {".plt", ".plt.sec", ".plt.got"}) {
    const ElfSection* section = elf.section(name);
    if (!section || section->type != SHT_PROGBITS) continue;
    Result<std::string> code = elf.section_bytes(name, kMaxPlt);
    if (!code) continue;
    if (targets.empty()) targets = slot_targets(elf);
    std::size_t stub = std::strcmp(name, ".plt.got") == 0 && code->find("\xf3\x0f\x1e\xfa") != 0 ? kStub / 2 : kStub;
    for (std::size_t at = 0; at + stub <= code->size(); at += stub) {
      // jmp *disp(%rip), perhaps behind endbr64 or a bnd prefix
      std::size_t jump = std::string_view(*code).substr(at, stub).find("\xff\x25");
      if (jump == std::string_view::npos || jump + 6 > stub) continue;
      std::int32_t displacement;
      std::memcpy(&displacement, code->data() + at + jump + 2, sizeof displacement);
      std::uint64_t slot = section->vaddr + at + jump + 6 + static_cast<std::int64_t>(displacement);
      auto target = targets.find(slot);
      if (target != targets.end()) stubs.push_back({section->vaddr + at, stub, target->second});
    }
  }
  return stubs;
}

}  // namespace dwell
