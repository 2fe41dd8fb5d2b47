// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbolizer.h"

#include <absl/container/flat_hash_map.h>
#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <compare>
#include <deque>
#include <optional>
#include <tuple>

#include "symbolizer/debug_files.h"
#include "symbolizer/decompress.h"
#include "symbolizer/dwarf_info.h"
#include "symbolizer/perf_map.h"
#include "symbolizer/symbol_table.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxDebugData = std::size_t{256} << 20;
// Debug information that was read beyond this is let go after a batch; names stay.
constexpr std::uint64_t kKeepLoaded = std::uint64_t{256} << 20;

std::string_view base_name(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::uint64_t lookup_offset(const AddressQuery& query) {
  return query.is_return_address && query.offset != 0 ? query.offset - 1 : query.offset;
}

std::string key_of(const ModuleRef& ref) {
  std::string identity = !ref.build_id.empty() ? ref.build_id : ref.open_path + "|" + ref.path;
  if (ref.kind == CodeKind::kJit) identity = std::to_string(ref.pid);
  if (ref.kind == CodeKind::kKernel || ref.kind == CodeKind::kUnknown) identity.clear();
  return fmt::format("{}|{}", static_cast<int>(ref.kind), identity);
}

}  // namespace

// Everything that is known about one module. Its mutex is held from the first to the last line of a batch.
class Symbolizer::Module {
 public:
  Module(const SymbolizerOptions& options, ModuleRef ref) : options_(options), ref_(std::move(ref)) {}

  SymbolizedModule symbolize(std::span<const AddressQuery> queries);
  ModuleReport inspect() {
    std::lock_guard lock(mutex_);
    open();
    open_debug_info();
    return report();
  }

 private:
  struct Text {
    std::string_view function, system_name;
  };

  std::vector<std::uint32_t> best_order(std::span<const AddressQuery> queries);
  void open();
  void open_file();
  void open_symbols();
  void open_debug_info();
  void open_names();
  bool matches(const ElfFile& elf) const { return ref_.build_id.empty() || elf.build_id() == ref_.build_id; }
  DebugSearch search() const;
  std::shared_ptr<const ElfFile> separate_debug_file();
  ModuleReport report() const;

  NameSource look_up(const AddressQuery& query, std::vector<ResolvedFrame>& frames);
  NameSource look_up_in_file(std::uint64_t offset, std::vector<ResolvedFrame>& frames);
  NameSource look_up_in_map(std::uint64_t address, std::vector<ResolvedFrame>& frames);
  bool add_debug_frames(std::uint64_t vaddr, const FunctionSymbol* symbol, std::vector<ResolvedFrame>& frames);
  std::optional<std::uint64_t> vaddr_of(std::uint64_t offset) const;
  std::string fallback_name(std::uint64_t offset) const;

  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  std::string_view keep_path(std::string_view path);
  const Text& text_of(const FunctionSymbol& symbol);
  const Text& text_of(const dwarf::Frame& frame);
  const Text& text_of_whole(const FunctionSymbol& symbol);
  Text make_text(std::string_view name, bool resolver);
  void let_go_of_debug_info();
  void note_problem(std::string problem, std::string hint = {});

  std::mutex mutex_;
  const SymbolizerOptions& options_;
  const ModuleRef ref_;
  bool opened_ = false, debug_opened_ = false;
  std::shared_ptr<const ElfFile> elf_;
  std::shared_ptr<const ElfFile> debug_elf_;  // separate debug file
  bool debug_file_tried_ = false;
  bool is_go_ = false;
  SymbolTable symbols_;
  AddressMap names_;
  std::unique_ptr<dwarf::DwarfInfo> debug_info_;
  std::vector<dwarf::Frame> scratch_;

  ModuleReport report_;
  std::deque<std::string> kept_;
  std::vector<Text> symbol_texts_;  // by number of the symbol, made when first shown
  absl::flat_hash_map<const char*, Text> debug_texts_;
  absl::flat_hash_map<const char*, Text> whole_texts_;
  absl::flat_hash_map<const char*, std::string_view> paths_;
  absl::flat_hash_map<std::string, std::string_view> kept_paths_;
};

Symbolizer::Symbolizer(SymbolizerOptions options) : options_(std::move(options)) {}
Symbolizer::~Symbolizer() = default;

Symbolizer::Module& Symbolizer::module_of(const ModuleRef& ref) {
  std::lock_guard lock(modules_mutex_);
  std::unique_ptr<Module>& module = modules_[key_of(ref)];
  if (!module) module = std::make_unique<Module>(options_, ref);
  return *module;
}

SymbolizedModule Symbolizer::symbolize(const ModuleRef& module, std::span<const AddressQuery> queries) {
  return module_of(module).symbolize(queries);
}

ModuleReport Symbolizer::inspect(const ModuleRef& module) { return module_of(module).inspect(); }

SymbolizedModule Symbolizer::Module::symbolize(std::span<const AddressQuery> queries) {
  std::lock_guard lock(mutex_);
  open();
  SymbolizedModule result;
  std::vector<std::uint32_t> order = best_order(queries);
  result.chains.resize(queries.size());
  result.frames.reserve(queries.size());
  const AddressQuery* last = nullptr;
  SymbolizedModule::Chain chain{};
  NameSource source = NameSource::kNone;
  for (std::uint32_t number : order) {
    const AddressQuery& query = queries[number];
    if (!last || query.offset != last->offset || query.is_return_address != last->is_return_address) {
      chain.first = static_cast<std::uint32_t>(result.frames.size());
      source = look_up(query, result.frames);
      chain.count = static_cast<std::uint32_t>(result.frames.size()) - chain.first;
    }
    last = &query;
    result.chains[number] = chain;
    result.counters.by_source[static_cast<int>(source)]++;
    result.counters.with_line += result.frames[chain.first].line != 0;
    result.counters.inlined_frames += chain.count - 1;
  }
  result.counters.addresses = queries.size();
  if (debug_info_ && debug_info_->gave_up()) {
    note_problem(fmt::format("{}: its debug information leads in circles and was not read to its end",
                             debug_elf_ ? debug_elf_->path() : ref_.path));
  }
  result.report = report();
  if (debug_info_ && debug_info_->loaded() > kKeepLoaded) let_go_of_debug_info();
  return result;
}

// Each unit of debug information serves its addresses in a row, and each address stands beside its equals.
std::vector<std::uint32_t> Symbolizer::Module::best_order(std::span<const AddressQuery> queries) {
  struct Key {
    std::uint32_t unit, number;
    std::uint64_t offset;
    bool is_return_address;
    auto operator<=>(const Key& other) const {
      return std::tie(unit, offset, is_return_address) <=>
             std::tie(other.unit, other.offset, other.is_return_address);
    }
  };
  open_debug_info();
  std::vector<Key> keys(queries.size());
  for (std::uint32_t i = 0; i < queries.size(); ++i) {
    keys[i] = {0, i, queries[i].offset, queries[i].is_return_address};
    std::optional<std::uint64_t> vaddr = debug_info_ ? vaddr_of(lookup_offset(queries[i])) : std::nullopt;
    if (vaddr) keys[i].unit = debug_info_->unit_number(*vaddr);
  }
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) { return a < b; });
  std::vector<std::uint32_t> order(queries.size());
  for (std::size_t i = 0; i < keys.size(); ++i) order[i] = keys[i].number;
  return order;
}

void Symbolizer::Module::note_problem(std::string problem, std::string hint) {
  if (report_.problem.empty()) {
    report_.problem = std::move(problem);
    report_.hint = std::move(hint);
  }
}

ModuleReport Symbolizer::Module::report() const {
  ModuleReport result = report_;
  if (debug_info_) {
    result.bytes_read = debug_info_->loaded();
    if (result.problem.empty() && !debug_info_->problems().empty()) {
      result.problem = debug_info_->problems().front();
      result.hint = "give the folder with the .dwo or .dwp files with --debug-dir";
    }
  }
  return result;
}

void Symbolizer::Module::open() {
  if (opened_) return;
  opened_ = true;
  switch (ref_.kind) {
    case CodeKind::kFile:
    case CodeKind::kVdso:
      open_file();
      open_symbols();
      break;
    case CodeKind::kJit:
    case CodeKind::kKernel:
      open_names();
      break;
    case CodeKind::kUnknown:
      break;
  }
}

void Symbolizer::Module::open_names() {
  bool jit = ref_.kind == CodeKind::kJit;
  if (jit && ref_.pid == 0) return;
  Result<AddressMap> names = jit ? read_perf_map(ref_.pid) : read_kallsyms();
  if (!names) {
    note_problem(names.error().what, jit ? "let the runtime write a perf map (node --perf-basic-prof, "
                                           "java -XX:+DumpPerfMapAtExit, python -X perf)"
                                         : names.error().hint);
    return;
  }
  names_ = std::move(*names);
  report_.symbols_from = jit ? "perf map" : "kallsyms";
  report_.symbol_count = names_.size();
}

void Symbolizer::Module::open_file() {
  auto accept = [this](Result<ElfFile> elf) {
    if (!elf) {
      note_problem(elf.error().what, elf.error().hint);
    } else if (!matches(*elf)) {
      note_problem(fmt::format("{}: belongs to another build (build id {}, not {})", elf->path(), elf->build_id(),
                               ref_.build_id),
                   "give the folder with the traced machine's files with --sysroot, or its debug files with "
                   "--debug-dir");
    } else {
      elf_ = std::make_shared<const ElfFile>(std::move(*elf));
      report_.problem.clear();
      report_.hint.clear();
    }
    return elf_ != nullptr;
  };
  if (!ref_.image.empty()) {
    accept(ElfFile::from_bytes(ref_.image, ref_.path));
  } else if (ref_.open_path.empty() || !accept(ElfFile::open(ref_.open_path))) {
    for (const std::string& root : search().roots) {
      if (ref_.path.starts_with('/') && accept(ElfFile::open(root + ref_.path))) break;
    }
  }
  if (!elf_) return;
  report_.file = elf_->path();
  is_go_ = elf_->section(".gopclntab") || elf_->section(".note.go.buildid");
}

DebugSearch Symbolizer::Module::search() const {
  DebugSearch search;
  search.roots.clear();
  if (ref_.pid != 0) search.roots.push_back(fmt::format("/proc/{}/root", ref_.pid));
  if (!options_.sysroot.empty()) search.roots.push_back(options_.sysroot);
  search.roots.push_back("");
  search.extra_dirs = options_.debug_dirs;
  search.debuginfod = options_.debuginfod;
  return search;
}

std::shared_ptr<const ElfFile> Symbolizer::Module::separate_debug_file() {
  if (debug_file_tried_) return debug_elf_;
  debug_file_tried_ = true;
  std::string build_id = elf_ ? elf_->build_id() : ref_.build_id;
  DebugFile found = find_debug_file(elf_.get(), build_id, ref_.path, search());
  debug_elf_ = found.elf;
  if (!found.elf && !found.problem.empty()) note_problem(found.problem);
  return debug_elf_;
}

void Symbolizer::Module::open_symbols() {
  std::vector<std::shared_ptr<const ElfFile>> files;
  if (elf_) files.push_back(elf_);
  bool has_table = elf_ && elf_->section(".symtab");
  if (has_table) report_.symbols_from = ".symtab";
  if (!has_table && ref_.kind == CodeKind::kFile) {
    std::shared_ptr<const ElfFile> debug = separate_debug_file();
    if (debug && debug->section(".symtab")) {
      files.push_back(debug);
      report_.symbols_from = ".symtab of " + debug->path();
      has_table = true;
    }
  }
  if (!has_table && elf_ && elf_->section(".gnu_debugdata")) {
    Result<std::string> packed = elf_->section_bytes(".gnu_debugdata", kMaxDebugData);
    Result<std::string> image = packed ? inflate_xz(*packed, kMaxDebugData) : packed;
    Result<ElfFile> mini = image ? ElfFile::from_bytes(std::move(*image), elf_->path() + ":.gnu_debugdata")
                                 : Result<ElfFile>(image.error());
    if (mini) {
      files.push_back(std::make_shared<const ElfFile>(std::move(*mini)));
      report_.symbols_from = ".gnu_debugdata";
      has_table = true;
    } else {
      note_problem(mini.error().what);
    }
  }
  if (!has_table && elf_) report_.symbols_from = ".dynsym";
  if (files.empty()) return;
  symbols_ = SymbolTable::build(files, code_ranges(*files.front()));
  symbol_texts_.resize(symbols_.size());
  report_.symbol_count = symbols_.size();
}

void Symbolizer::Module::open_debug_info() {
  if (debug_opened_ || !options_.use_debug_info || ref_.kind != CodeKind::kFile) return;
  debug_opened_ = true;
  std::shared_ptr<const ElfFile> source = elf_ && elf_->section(".debug_info") ? elf_ : separate_debug_file();
  if (!source && !elf_) return;
  if (!source || !source->section(".debug_info")) {
    const std::string& id = elf_ ? elf_->build_id() : ref_.build_id;
    note_problem(fmt::format("{}: no debug information (build id {}): no lines and no inlined calls", ref_.path,
                             id.empty() ? "none" : id),
                 "install its debug package, give the folder with --debug-dir, or ask servers with --debuginfod");
    return;
  }
  std::vector<dwarf::Range> code;
  for (const AddressRange& range : code_ranges(elf_ ? *elf_ : *source)) code.push_back({range.start, range.end});
  dwarf::Companions companions;
  companions.qualify_names = options_.demangle != DemangleWidth::kNone;
  companions.supplementary = [this, source] {
    DebugFile found = find_supplementary(*source, ref_.path, search());
    if (!found.elf && !found.problem.empty()) note_problem(found.problem);
    return found.elf;
  };
  companions.split_unit = [this](std::string_view name, std::string_view directory) {
    return find_split_unit(name, directory, ref_.path, search());
  };
  companions.split_package = [this, source] { return find_split_package(ref_.path, source->path(), search()); };
  debug_info_ = dwarf::DwarfInfo::open(source, std::move(code), std::move(companions));
  if (debug_info_) report_.debug_from = source->path();
}

void Symbolizer::Module::let_go_of_debug_info() {
  debug_info_.reset();
  debug_opened_ = false;
  debug_texts_.clear();
  paths_.clear();
}

std::optional<std::uint64_t> Symbolizer::Module::vaddr_of(std::uint64_t offset) const {
  if (elf_) return elf_->vaddr_of_offset(offset);
  for (const ElfSegment& segment : ref_.segments) {
    if (offset >= segment.file_offset && offset - segment.file_offset < segment.file_size)
      return segment.vaddr + (offset - segment.file_offset);
  }
  return std::nullopt;
}

std::string Symbolizer::Module::fallback_name(std::uint64_t offset) const {
  if (ref_.kind == CodeKind::kJit) return "[jit]";
  if (ref_.kind == CodeKind::kUnknown) return "[unknown]";
  std::string_view name = ref_.kind == CodeKind::kKernel ? "[kernel]" : base_name(ref_.path);
  return name.empty() ? "[unknown]" : fmt::format("{}+{:#x}", name, offset);
}

NameSource Symbolizer::Module::look_up(const AddressQuery& query, std::vector<ResolvedFrame>& frames) {
  std::uint64_t offset = lookup_offset(query);
  bool has_file = ref_.kind == CodeKind::kFile || ref_.kind == CodeKind::kVdso;
  std::size_t before = frames.size();
  NameSource source = has_file ? look_up_in_file(offset, frames) : look_up_in_map(offset, frames);
  if (frames.size() == before) {
    frames.push_back({keep(fallback_name(query.offset)), {}, {}, 0, false, false});
  } else if (frames.back().function.empty()) {
    frames.back().function = keep(fallback_name(query.offset));
  }
  return source;
}

NameSource Symbolizer::Module::look_up_in_map(std::uint64_t address, std::vector<ResolvedFrame>& frames) {
  const AddressMap::Entry* entry = names_.find(address);
  if (!entry) return NameSource::kNone;
  std::string_view name = entry->name;
  frames.push_back({name, name, {}, 0, true, false});
  return ref_.kind == CodeKind::kJit ? NameSource::kPerfMap : NameSource::kKallsyms;
}

NameSource Symbolizer::Module::look_up_in_file(std::uint64_t offset, std::vector<ResolvedFrame>& frames) {
  std::optional<std::uint64_t> vaddr = vaddr_of(offset);
  if (!vaddr) return NameSource::kNone;
  const FunctionSymbol* symbol = symbols_.find(*vaddr);
  open_debug_info();
  if (debug_info_ && add_debug_frames(*vaddr, symbol, frames)) return NameSource::kDwarf;
  // What the line table says about code that no function's entry describes.
  bool has_line = debug_info_ && !scratch_.empty();
  if (!symbol && !has_line) return NameSource::kNone;
  std::string_view file = has_line ? keep_path(scratch_.back().file) : std::string_view();
  std::uint32_t line = has_line ? scratch_.back().line : 0;
  Text text;
  if (symbol) text = text_of(*symbol);
  frames.push_back({text.function, text.system_name, file, line, symbol != nullptr, false});
  return symbol ? NameSource::kSymbols : NameSource::kNone;
}

namespace {

// Whether a function's symbol says more than its debug information.
bool is_better_name(const FunctionSymbol& symbol, const dwarf::Frame& frame) {
  bool mangled = is_mangled(symbol.name);
  if (symbol.resolver || is_mangled(frame.name.linkage) || !frame.function) return false;
  // Of the names of one function, the exported one is the one that people call.
  if (symbol.exported && !mangled) return true;
  // Functions with internal linkage have no linkage name, but a symbol. One that is the plain name itself says
  // that the function has C linkage, in whichever namespace it stands.
  return frame.name.linkage.empty() && (mangled || symbol.name == frame.name.plain);
}

}  // namespace

bool Symbolizer::Module::add_debug_frames(std::uint64_t vaddr, const FunctionSymbol* symbol,
                                          std::vector<ResolvedFrame>& frames) {
  debug_info_->find(vaddr, scratch_);
  if (scratch_.empty()) return false;
  const dwarf::Frame& outermost = scratch_.back();
  bool has_name = !outermost.name.linkage.empty() || !outermost.name.plain.empty();
  if (scratch_.size() == 1 && !has_name) return false;
  for (const dwarf::Frame& frame : scratch_) {
    bool named = !frame.name.linkage.empty() || !frame.name.plain.empty();
    Text text;
    if (named) text = text_of(frame);
    bool outer = &frame == &outermost;
    bool renamed = outer && symbol && is_better_name(*symbol, frame) &&
                   debug_info_->outermost_function(symbol->start) == frame.function;
    if (renamed) text = text_of_whole(*symbol);
    if (outer && symbol && !named) text = text_of(*symbol);
    named |= outer && symbol;
    if (!named && !outer) text.function = "[inlined]";
    frames.push_back({text.function, text.system_name, keep_path(frame.file), frame.line, named, frame.inlined});
  }
  return true;
}

std::string_view Symbolizer::Module::keep_path(std::string_view path) {
  if (path.empty()) return {};
  std::string_view& known = paths_[path.data()];
  if (known.empty()) {
    std::string_view& kept = kept_paths_[std::string(path)];
    if (kept.empty()) kept = keep(std::string(path));
    known = kept;
  }
  return known;
}

Symbolizer::Module::Text Symbolizer::Module::make_text(std::string_view name, bool resolver) {
  std::string shown = demangle(name, options_.demangle, !is_go_);
  if (resolver) shown += " [ifunc resolver]";
  std::string_view system_name = keep(std::string(name));
  return {shown == name ? system_name : keep(std::move(shown)), system_name};
}

const Symbolizer::Module::Text& Symbolizer::Module::text_of(const FunctionSymbol& symbol) {
  Text& text = symbol_texts_[symbols_.index_of(&symbol)];
  if (text.function.empty()) text = make_text(symbol.name, symbol.resolver);
  return text;
}

// Debug information says which function a cold part or a clone belongs to: it goes by that function's name.
const Symbolizer::Module::Text& Symbolizer::Module::text_of_whole(const FunctionSymbol& symbol) {
  std::string_view name = is_go_ ? symbol.name : without_clone_suffix(symbol.name);
  if (name.size() == symbol.name.size()) return text_of(symbol);
  Text& text = whole_texts_[symbol.name.data()];
  if (text.function.empty()) text = make_text(name, false);
  return text;
}

const Symbolizer::Module::Text& Symbolizer::Module::text_of(const dwarf::Frame& frame) {
  bool linked = !frame.name.linkage.empty();
  std::string_view name = linked ? frame.name.linkage : frame.name.plain;
  bool qualify = !linked && !frame.qualified.empty() && options_.demangle != DemangleWidth::kNone;
  Text& text = debug_texts_[qualify ? frame.qualified.data() : name.data()];
  if (!text.function.empty()) return text;
  text = make_text(name, false);
  if (qualify) {
    bool brief = options_.demangle == DemangleWidth::kShort;
    text.function = keep(brief ? without_template_arguments(frame.qualified) : std::string(frame.qualified));
  }
  return text;
}

}  // namespace dwell
