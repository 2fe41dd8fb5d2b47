// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbol_table.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <unordered_map>

#include "symbolizer/lazy_bytes.h"

namespace dwell {

namespace {

std::uint8_t leading_underscores(std::string_view name) {
  // The underscore of a mangled name is no sign of being internal.
  if (name.starts_with("_Z") || name.starts_with("_R")) return 0;
  return static_cast<std::uint8_t>(std::min<std::size_t>(name.find_first_not_of('_'), 255));
}

}  // namespace

struct SymbolTable::Candidate {
  std::string_view name;
  std::uint64_t start, size;
  bool label;
  bool resolver;
  bool exported;
  std::uint8_t binding_rank;  // 0 is best

  // Names are looked at last: they are cold memory, and most that share an address are told apart before.
  bool is_better_than(const Candidate& other) const {
    auto kind = [](const Candidate& each) { return std::make_tuple(each.label, each.resolver, !each.exported); };
    if (kind(*this) != kind(other)) return kind(*this) < kind(other);
    auto look = [](const Candidate& each) {
      return std::make_tuple(leading_underscores(each.name), each.binding_rank, each.name.size(), each.name);
    };
    return look(*this) < look(other);
  }
};

namespace {

std::uint8_t binding_rank(std::uint8_t binding) {
  if (binding == STB_GLOBAL || binding == STB_GNU_UNIQUE) return 0;
  return binding == STB_WEAK ? 1 : 2;
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
      if (!symbol.defined || !(label ? symbol.name.front() != '$' : is_function(symbol))) continue;
      if (code_end(code, symbol.vaddr) == 0) continue;
      candidates.push_back({symbol.name, symbol.vaddr, symbol.size, label, symbol.type == STT_GNU_IFUNC,
                            symbol.dynamic && symbol.binding != STB_LOCAL, binding_rank(symbol.binding)});
    }
    for (PltStub& stub : plt_stubs(file)) {
      table.own_names_.push_back(stub.target + "@plt");
      candidates.push_back({table.own_names_.back(), stub.start, stub.size, false, false, false, 2});
    }
  }
  table.add_groups(by_address(candidates), code);
  return table;
}

// Candidates in the order of their addresses. Names are not looked at: most addresses have one.
std::vector<const SymbolTable::Candidate*> SymbolTable::by_address(const std::vector<Candidate>& candidates) {
  struct Place {
    std::uint64_t start;
    const Candidate* candidate;
  };
  std::vector<Place> places;
  places.reserve(candidates.size());
  for (const Candidate& candidate : candidates) places.push_back({candidate.start, &candidate});
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.start < b.start; });
  std::vector<const Candidate*> result;
  result.reserve(places.size());
  for (const Place& place : places) result.push_back(place.candidate);
  return result;
}

void SymbolTable::add_groups(std::span<const Candidate* const> candidates, const std::vector<AddressRange>& code) {
  struct Label {
    std::uint64_t start, end;
    std::uint32_t number;
  };
  std::vector<Label> labels;
  symbols_.reserve(candidates.size());
  for (std::size_t at = 0; at < candidates.size();) {
    std::size_t next = at;
    const Candidate* best = candidates[at];
    for (; next < candidates.size() && candidates[next]->start == best->start; ++next) {
      if (next != at && candidates[next]->is_better_than(*best)) best = candidates[next];
    }
    std::uint64_t size = 0;
    for (const Candidate* other : candidates.subspan(at, next - at)) {
      if (other->label == best->label) size = std::max(size, other->size);
    }
    std::uint64_t limit = code_end(code, best->start);
    std::uint64_t end = size != 0 && size < limit - best->start ? best->start + size : limit;
    // One that does not say how long it is reaches to the next.
    if (size == 0 && next < candidates.size()) end = std::min(end, candidates[next]->start);
    std::uint32_t number = static_cast<std::uint32_t>(symbols_.size());
    symbols_.push_back({best->name, best->start, best->exported, best->resolver});
    if (best->label) {
      labels.push_back({best->start, end, number});
    } else {
      functions_.add(best->start, end, number);
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
constexpr std::size_t kMaxPltName = std::size_t{16} << 10;
constexpr std::size_t kStub = 16;

// Slots of the global offset table that stubs jump through, and what the dynamic linker puts there.
std::unordered_map<std::uint64_t, std::string> slot_targets(const std::shared_ptr<const ElfFile>& elf) {
  std::unordered_map<std::uint64_t, std::string> targets;
  LazyBytes symbols = LazyBytes::of_section(elf, ".dynsym"), names = LazyBytes::of_section(elf, ".dynstr");
  for (const char* section : {".rela.plt", ".rela.dyn"}) {
    // Megabytes of other things, and slots for the stubs of .plt.got alone.
    if (std::strcmp(section, ".rela.dyn") == 0 && !elf->section(".plt.got")) continue;
    Result<std::string> relocations = elf->section_bytes(section, kMaxPlt);
    if (!relocations) continue;
    for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= relocations->size(); at += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation;
      std::memcpy(&relocation, relocations->data() + at, sizeof relocation);
      std::uint32_t type = ELF64_R_TYPE(relocation.r_info);
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
      std::string_view entry = symbols.view(ELF64_R_SYM(relocation.r_info) * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
      if (entry.empty()) continue;
      Elf64_Sym symbol;
      std::memcpy(&symbol, entry.data(), sizeof symbol);
      std::string_view name = names.up_to(symbol.st_name, kMaxPltName);
      name = name.substr(0, std::min(name.find('\0'), name.size()));
      if (!name.empty()) targets.emplace(relocation.r_offset, name);
    }
  }
  return targets;
}

}  // namespace

std::vector<PltStub> plt_stubs(const std::shared_ptr<const ElfFile>& elf) {
  std::vector<PltStub> stubs;
  if (elf->machine() != EM_X86_64) return stubs;
  std::unordered_map<std::uint64_t, std::string> targets;
  for (const char* name : {".plt", ".plt.sec", ".plt.got"}) {
    const ElfSection* section = elf->section(name);
    if (!section || section->type != SHT_PROGBITS) continue;
    Result<std::string> code = elf->section_bytes(name, kMaxPlt);
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
