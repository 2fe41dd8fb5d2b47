// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/allocators.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "symbolizer/decompress.h"
#include "userspace/base/cursor.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/privileges.h"
#include "userspace/probes/forwarders.h"
#include "userspace/probes/module_kind.h"
#include "userspace/process/process_memory.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxDebugData = std::size_t{256} << 20;
constexpr std::size_t kMaxPrefixes = 16;
constexpr std::size_t kMaxFunctions = 512;  // of one module; no allocator has a quarter of that

// Whether a symbol may be an allocation function, of a jemalloc under some prefix too, or tells what its
// module is. All others, of which a browser has a million, are not kept.
bool may_matter(std::string_view name) {
  if (alloc_name(name).shape != DWELL_SHAPE_NONE || name == "__libc_start_main") return true;
  for (std::string_view end : {"mallocx", "rallocx", "xallocx", "dallocx", "mallctl", "malloc", "calloc", "realloc", "free",
                               "memalign", "aligned_alloc", "valloc", "reallocarray"})
    if (name.ends_with(end)) return true;
  return false;
}

// The functions of a module that may matter, with where they are.
class NamedFunctions {
 public:
  void add(const ElfFile& elf) {
    bool alone = !elf.has_interpreter() && elf.needed().empty();
    for (const ElfSymbol& symbol : elf.symbols()) {
      if (!symbol.defined || symbol.vaddr == 0) continue;
      if (symbol.type != STT_FUNC && symbol.type != STT_GNU_IFUNC) continue;
      if (!may_matter(symbol.name)) continue;
      // A file-local "free" of some program is its own business; in a static one all can be local.
      bool local = symbol.binding == STB_LOCAL && !alone;
      functions_.emplace(std::string(symbol.name), Function{symbol.vaddr, symbol.size, local, symbol.type == STT_GNU_IFUNC});
    }
  }

  struct Function {
    std::uint64_t vaddr, size;
    bool local, indirect;
  };
  bool has(const std::string& name, bool or_local = false) const {
    auto found = functions_.find(name);
    return found != functions_.end() && (or_local || !found->second.local);
  }
  const std::map<std::string, Function>& all() const { return functions_; }

  // Prefixes under which jemalloc is in here: three of its own functions tell it from wrappers.
  std::vector<std::string> jemalloc_prefixes() const {
    std::vector<std::string> prefixes;
    for (const auto& [name, function] : functions_) {
      if (!name.ends_with("mallocx")) continue;
      std::string prefix = name.substr(0, name.size() - std::string_view("mallocx").size());
      if (has(prefix + "sdallocx", true) && has(prefix + "mallctl", true) && has(prefix + "malloc", true) &&
          prefixes.size() < kMaxPrefixes)
        prefixes.push_back(prefix);
    }
    return prefixes;
  }

 private:
  std::map<std::string, Function> functions_;
};

struct Candidate {
  std::string name;
  AllocName what;
  NamedFunctions::Function function;
};

bool family_is_whole(const NamedFunctions& names, AllocFamily family) {
  switch (family) {
    case AllocFamily::kC:
      return names.has("malloc", true) && names.has("free", true);
    case AllocFamily::kTcmalloc:
      return names.has("tc_malloc", true) && names.has("tc_free", true);
    case AllocFamily::kMimalloc:
      return names.has("mi_malloc", true) && names.has("mi_free", true);
    case AllocFamily::kOther:
      return (names.has("dlmalloc", true) && names.has("dlfree", true)) ||
             (names.has("rpmalloc", true) && names.has("rpfree", true));
    case AllocFamily::kMapping:
      return names.has("mmap") && names.has("munmap");
    case AllocFamily::kCxx:
    case AllocFamily::kJemalloc:
      return true;
  }
  return false;
}

std::vector<Candidate> candidates_in(const NamedFunctions& names) {
  std::vector<Candidate> candidates;
  for (const auto& [name, function] : names.all()) {
    AllocName what = alloc_name(name);
    bool unexported = function.local && (what.family == AllocFamily::kC || what.family == AllocFamily::kMapping);
    if (what.shape == DWELL_SHAPE_NONE || unexported || !family_is_whole(names, what.family)) continue;
    candidates.push_back({name, what, function});
  }
  for (const std::string& prefix : names.jemalloc_prefixes()) {
    for (const auto& [name, function] : names.all()) {
      if (!name.starts_with(prefix)) continue;
      std::string_view base = std::string_view(name).substr(prefix.size());
      dwell_probe_shape shape = jemalloc_shape(base);
      if (shape == DWELL_SHAPE_NONE || (prefix.empty() && alloc_name(base).shape != DWELL_SHAPE_NONE)) continue;
      candidates.push_back({name, {AllocFamily::kJemalloc, shape}, function});
    }
  }
  return candidates;
}

// Plain names first, then the C++ ones, then an allocator's own: the name that a reader expects to see.
int rank(const Candidate& candidate) {
  if (candidate.what.family == AllocFamily::kC) return candidate.name.starts_with("__") ? 4 : 0;
  if (candidate.name.starts_with("_Zna") || candidate.name.starts_with("_Zda")) return 2;  // new before new[]
  if (candidate.what.family == AllocFamily::kCxx || candidate.what.family == AllocFamily::kMapping) return 1;
  return 3;
}

std::vector<AllocFunction> one_for_each_address(std::vector<Candidate> candidates, const ElfFile& elf) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(rank(a), a.name.size()) < std::pair(rank(b), b.name.size());
  });
  std::vector<AllocFunction> functions;
  std::map<std::uint64_t, std::size_t> by_address;
  for (const Candidate& candidate : candidates) {
    if (candidate.function.indirect) continue;
    auto [at, first] = by_address.emplace(candidate.function.vaddr, functions.size());
    if (!first) {
      functions[at->second].aliases.push_back(candidate.name);
      functions[at->second].throws |= may_throw(candidate.name);
      continue;
    }
    std::optional<std::uint64_t> offset = elf.offset_of_vaddr(candidate.function.vaddr);
    if (!offset || functions.size() >= kMaxFunctions) {
      by_address.erase(at);
      continue;
    }
    functions.push_back({.name = candidate.name,
                         .aliases = {},
                         .family = candidate.what.family,
                         .shape = candidate.what.shape,
                         .vaddr = candidate.function.vaddr,
                         .size = candidate.function.size,
                         .file_offset = *offset,
                         .throws = may_throw(candidate.name)});
  }
  return functions;
}

bool is_aligned_alloc(std::string_view name) {
  return name == "aligned_alloc" || name == "memalign" || name == "__libc_memalign";
}

void drop_forwarders(const ElfFile& elf, AllocModule& module) {
  CallTargets targets(elf);
  std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>> own;
  for (const AllocFunction& function : module.functions) own[function.vaddr] = {function.name, function.shape};
  std::vector<AllocFunction> kept;
  for (AllocFunction& function : module.functions) {
    // What pvalloc hands on is the size in whole pages, which nobody asked for.
    std::optional<std::string> target;
    if (!function.name.ends_with("pvalloc"))
      target = forwards_to(elf, targets, function.vaddr, function.size, function.shape, own);
    function.asks = target && function.throws && is_aligned_alloc(*target) &&
                    applies_mask(elf, function.vaddr, function.size);
    if (target && !function.asks)
      module.skipped.push_back({function.name, "every call of it goes on to " + *target, function.aliases, *target});
    else
      kept.push_back(std::move(function));
  }
  for (AllocFunction& function : kept)
    function.nests = function.family != AllocFamily::kMapping && wants_return(function.shape) &&
                     calls_another(elf, targets, function.vaddr, function.size, own);
  module.functions = std::move(kept);
}

std::string allocator_name(const NamedFunctions& names, const std::vector<AllocFunction>& functions) {
  if (!names.jemalloc_prefixes().empty()) return "jemalloc";
  if (names.has("tc_malloc", true)) return "tcmalloc";
  if (names.has("mi_malloc", true)) return "mimalloc";
  if (names.has("__libc_memalign", true)) return "glibc";
  if (names.has("__libc_start_main", true) && names.has("malloc")) return "musl";
  bool only_cxx = std::all_of(functions.begin(), functions.end(),
                              [](const AllocFunction& function) { return function.family == AllocFamily::kCxx; });
  return only_cxx ? "C++ runtime" : "allocator";
}

}  // namespace

std::optional<ElfFile> hidden_symbols(const ElfFile& elf) {
  Result<std::string> packed = elf.section_bytes(".gnu_debugdata", kMaxDebugData);
  if (packed) {
    Result<std::string> unpacked = inflate_xz(*packed, kMaxDebugData);
    if (unpacked) {
      Result<ElfFile> file = ElfFile::from_bytes(std::move(*unpacked), elf.path() + " (.gnu_debugdata)");
      if (file) return std::move(*file);
    }
  }
  const std::string& id = elf.build_id();
  if (id.size() > 2 && !elf.section(".symtab")) {
    Result<ElfFile> file = ElfFile::open("/usr/lib/debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug");
    if (file && file->build_id() == id) return std::move(*file);
  }
  return std::nullopt;
}

AllocModule allocators_of(const ElfFile& elf, const ElfFile* symbols, std::vector<IndirectFunction>* indirect) {
  NamedFunctions names;
  names.add(elf);
  if (symbols) names.add(*symbols);

  AllocModule module;
  module.path = elf.path();
  module.build_id = elf.build_id();
  std::vector<Candidate> candidates = candidates_in(names);
  if (indirect)
    for (const Candidate& candidate : candidates)
      if (candidate.function.indirect) indirect->push_back({candidate.name, candidate.function.vaddr});
  module.functions = one_for_each_address(std::move(candidates), elf);
  module.allocator = allocator_name(names, module.functions);
  drop_forwarders(elf, module);
  return module;
}

namespace {

// What the program's loader put into the slot for an indirect function of this module.
class IndirectResolver {
 public:
  IndirectResolver(pid_t pid, const Mapping& text, const ElfFile& elf)
      : memory_(pid), text_(text), elf_(elf) {
    std::optional<std::uint64_t> vaddr = elf.vaddr_of_mapping(text.file_offset, text.executable);
    if (vaddr) bias_ = text.start - *vaddr;
  }

  std::optional<std::uint64_t> resolve(const IndirectFunction& function) const {
    constexpr std::size_t kLimit = std::size_t{64} << 20;
    for (const char* section : {".rela.plt", ".rela.dyn"}) {
      Result<std::string> relocations = elf_.section_bytes(section, kLimit);
      if (!relocations) continue;
      Cursor cursor(*relocations);
      while (cursor.remaining() >= sizeof(Elf64_Rela)) {
        Elf64_Rela relocation = cursor.fixed<Elf64_Rela>();
        if (!leads_to(relocation, function)) continue;
        if (std::optional<std::uint64_t> vaddr = in_slot(relocation.r_offset)) return vaddr;
      }
    }
    return std::nullopt;
  }

 private:
  bool leads_to(const Elf64_Rela& relocation, const IndirectFunction& function) const {
    std::uint32_t type = ELF64_R_TYPE(relocation.r_info);
    if (type == R_X86_64_IRELATIVE) return static_cast<std::uint64_t>(relocation.r_addend) == function.resolver_vaddr;
    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) return false;
    return targets_.import_in_slot(relocation.r_offset) == function.name;
  }
  std::optional<std::uint64_t> in_slot(std::uint64_t slot_vaddr) const {
    std::uint64_t value = 0;
    if (!memory_.read(slot_vaddr + bias_, &value, sizeof value)) return std::nullopt;
    // Not bound yet, or bound to another module, which has its own probes.
    if (value < text_.start || value >= text_.end) return std::nullopt;
    std::uint64_t vaddr = value - bias_;
    const ElfSection* plt = elf_.section(".plt");
    if (plt && vaddr >= plt->vaddr && vaddr < plt->vaddr + plt->size) return std::nullopt;
    return vaddr;
  }

  ProcessMemory memory_;
  const Mapping& text_;
  const ElfFile& elf_;
  CallTargets targets_{elf_};
  std::uint64_t bias_ = 0;
};

void add_indirect(pid_t pid, const Mapping& text, const ElfFile& elf, const std::vector<IndirectFunction>& indirect,
                  AllocModule& module) {
  if (indirect.empty()) return;
  IndirectResolver resolver(pid, text, elf);
  for (const IndirectFunction& function : indirect) {
    std::optional<std::uint64_t> vaddr = resolver.resolve(function);
    if (!vaddr) {
      module.skipped.push_back({function.name, "chosen at start by code of its own, and not yet bound", {}, ""});
      continue;
    }
    auto same = std::find_if(module.functions.begin(), module.functions.end(),
                             [&](const AllocFunction& known) { return known.vaddr == *vaddr; });
    if (same != module.functions.end()) {
      same->aliases.push_back(function.name);
      continue;
    }
    std::uint64_t size = 0;
    for (const ElfSymbol& symbol : elf.symbols())
      if (symbol.vaddr == *vaddr && symbol.size) size = symbol.size;
    AllocName what = alloc_name(function.name);
    std::optional<std::uint64_t> offset = elf.offset_of_vaddr(*vaddr);
    if (offset) module.functions.push_back({function.name, {}, what.family, what.shape, *vaddr, size, *offset});
  }
}

Error nothing_found(pid_t pid, const ProgramKind& kind, const AllocatorSet& set) {
  std::string what = fmt::format("find an allocator in PID {}: ", pid);
  if (kind.go)
    return {what + "a Go program manages its memory itself, and calls no allocation function",
            "its heap and goroutines: dwell record with its Go part, or dwell go --heap", Exit::kUnsupported};
  if (kind.is_static && kind.stripped)
    return {what + "it is statically linked, and its symbols are stripped",
            "run the unstripped program, or put its debug file into /usr/lib/debug/.build-id", Exit::kUnsupported};
  if (!set.notes.empty())
    return {what + set.notes.front(), "run as root; dwell doctor tells what is missing", Exit::kNotPermitted};
  return {what + "no module of it defines malloc and free, or operator new",
          "a program with an allocator of its own under other names cannot be traced", Exit::kUnsupported};
}

bool has_heap(const AllocModule& module) {
  return std::any_of(module.functions.begin(), module.functions.end(),
                     [](const AllocFunction& function) { return function.family != AllocFamily::kMapping; });
}

}  // namespace

Result<AllocModule> find_allocator(pid_t pid, const Mapping& mapping) {
  Result<std::string> path = path_to_open(pid, mapping);
  if (!path) return path.error();
  Result<ElfFile> elf = ElfFile::open(*path);
  if (!elf) return elf.error();
  AllocModule module;
  if (!is_bare_loader(pid, mapping, *elf)) {
    std::optional<ElfFile> more = hidden_symbols(*elf);
    std::vector<IndirectFunction> indirect;
    module = allocators_of(*elf, more ? &*more : nullptr, &indirect);
    add_indirect(pid, mapping, *elf, indirect, module);
    if (!has_heap(module)) module.hidden = hidden_allocator(*elf);
  }
  module.path = mapping.path;
  module.open_path = std::move(*path);
  module.device = mapping.device();
  module.inode = mapping.inode;
  return module;
}

Result<AllocatorSet> find_allocators(pid_t pid, const std::vector<Mapping>& mappings) {
  Result<ElfFile> program = ElfFile::open(fmt::format("/proc/{}/exe", living_thread(pid)));
  if (!program) {
    Error error = program.error().because_of(fmt::format("read the program of PID {}", pid));
    if (error.exit == Exit::kUnsupported) error.hint = "only 64-bit x86 programs can be traced";
    if (error.exit == Exit::kNotPermitted) error.hint = privilege_hint({Capability::kSysPtrace, Capability::kDacReadSearch});
    return error;
  }
  AllocatorSet set;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    if (!seen.emplace(mapping.device(), mapping.inode).second) continue;
    Result<AllocModule> module = find_allocator(pid, mapping);
    if (!module)
      set.notes.push_back(fmt::format("{}: {}", mapping.path, module.error().what));
    else if (!module->functions.empty())
      set.modules.push_back(std::move(*module));
  }
  bool any_heap = std::any_of(set.modules.begin(), set.modules.end(), has_heap);
  if (!any_heap) return nothing_found(pid, kind_of(*program), set);
  return set;
}

}  // namespace dwell
