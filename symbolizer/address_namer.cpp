// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/address_namer.h"

#include <fmt/core.h>

#include <array>
#include <cstring>
#include <utility>

#include "symbolizer/named_frames.h"

namespace dwell {

DebugSearch OpenedModule::search() const {
  DebugSearch result;
  result.roots.clear();
  if (ref.pid != 0) result.roots.push_back(fmt::format("/proc/{}/root", ref.pid));
  if (!options.sysroot.empty()) result.roots.push_back(options.sysroot);
  result.roots.push_back("");
  result.extra_dirs = options.debug_dirs;
  result.debuginfod = options.debuginfod;
  result.foreign_root = ref.foreign_root;
  return result;
}

std::optional<std::uint64_t> OpenedModule::vaddr_of(std::uint64_t offset) const {
  if (elf) return elf->vaddr_of_offset(offset);
  for (const ElfSegment& segment : ref.segments) {
    if (offset >= segment.file_offset && offset - segment.file_offset < segment.file_size)
      return segment.vaddr + (offset - segment.file_offset);
  }
  return std::nullopt;
}

dwarf::DwarfInfo* AddressNamer::debug_info() {
  if (debug_info_tried_) return debug_info_.get();
  debug_info_tried_ = true;
  if (!module_.debug) return nullptr;
  std::vector<dwarf::Range> code;
  for (const AddressRange& range : code_ranges(module_.elf ? *module_.elf : *module_.debug))
    code.push_back({range.start, range.end});
  dwarf::Companions companions;
  companions.qualify_names = module_.options.demangle != DemangleWidth::kNone;
  companions.supplementary = [this] {
    DebugFile found = find_supplementary(*module_.debug, module_.ref.path, module_.search());
    supplementary_problem_ = found.problem;
    return found.elf;
  };
  companions.split_unit = [this](std::string_view name, std::string_view directory) {
    return find_split_unit(name, directory, module_.ref.path, module_.search());
  };
  companions.split_package = [this] {
    return find_split_package(module_.ref.path, module_.debug->path(), module_.search());
  };
  debug_info_ = dwarf::DwarfInfo::open(module_.debug, std::move(code), std::move(companions));
  return debug_info_.get();
}

void AddressNamer::release_debug_info() {
  debug_info_.reset();
  debug_info_tried_ = false;
  debug_texts_.clear();
  paths_.clear();
}

std::optional<Error> AddressNamer::problem() const {
  if (!debug_info_) return std::nullopt;
  if (debug_info_->has_given_up()) {
    return Error{module_.debug->path() + ": its debug information leads in circles and was not read to its end", "",
                 Exit::kBadInput};
  }
  if (!supplementary_problem_.empty())
    return Error{supplementary_problem_, "give the folder with it with --debug-dir", Exit::kFailed};
  if (debug_info_->problems().empty()) return std::nullopt;
  return Error{debug_info_->problems().front(), "give the folder with the .dwo or .dwp files with --debug-dir",
               Exit::kFailed};
}

std::uint32_t AddressNamer::unit_number(std::uint64_t offset) {
  std::optional<std::uint64_t> vaddr = debug_info() ? module_.vaddr_of(offset) : std::nullopt;
  return vaddr ? debug_info_->unit_number(*vaddr) : 0;
}


namespace {

// Where handlers return to: mov $15,%rax; syscall. It has a local symbol at best, and what lies in front of it is
// another function.
bool returns_from_signal(const ElfFile& elf, std::uint64_t offset) {
  constexpr std::string_view kCode("\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9);
  std::array<std::byte, kCode.size()> code{};
  return elf.read_at(offset, code) && std::memcmp(code.data(), kCode.data(), kCode.size()) == 0;
}

}  // namespace

NameSource AddressNamer::look_up(const AddressQuery& query, std::vector<ResolvedFrame>& frames) {
  std::uint64_t offset = lookup_offset(query);
  std::size_t before = frames.size();
  if (module_.has_file() && module_.elf && returns_from_signal(*module_.elf, query.offset)) {
    frames.push_back({kSignalFrame, kSignalFrame, {}, 0, true, false});
    return NameSource::kSymbols;
  }
  NameSource source = module_.has_file() ? look_up_in_file(offset, frames) : look_up_in_map(offset, frames);
  if (frames.size() == before) {
    frames.push_back({keep(fallback_name(module_.ref, query.offset)), {}, {}, 0, false, false});
  } else if (frames.back().function.empty()) {
    frames.back().function = keep(fallback_name(module_.ref, query.offset));
  }
  return source;
}

NameSource AddressNamer::look_up_in_map(std::uint64_t address, std::vector<ResolvedFrame>& frames) {
  const AddressMap::Entry* entry = module_.names.find(address);
  if (!entry) return NameSource::kNone;
  std::string_view name = keep_once(entry->name);  // a JIT's map is read again when it has grown
  frames.push_back({name, name, {}, 0, true, false});
  return module_.ref.kind == CodeKind::kJit ? NameSource::kPerfMap : NameSource::kKallsyms;
}

NameSource AddressNamer::look_up_in_file(std::uint64_t offset, std::vector<ResolvedFrame>& frames) {
  std::optional<std::uint64_t> vaddr = module_.vaddr_of(offset);
  if (!vaddr) return NameSource::kNone;
  const FunctionSymbol* symbol = module_.symbols.find(*vaddr);
  if (debug_info() && add_debug_frames(*vaddr, symbol, frames)) return NameSource::kDwarf;
  // What the line table says about code that no function's entry describes.
  bool has_line = debug_info_ && !scratch_.empty();
  if (!has_line) {
    std::vector<GoFunction> calls = module_.inlining.calls_at(module_.go, *vaddr);
    for (const GoFunction& go : calls)
      frames.push_back({go.name, go.name, go.file, go.line, true, &go != &calls.back()});
    if (!calls.empty()) return NameSource::kSymbols;
  }
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

bool AddressNamer::add_debug_frames(std::uint64_t vaddr, const FunctionSymbol* symbol,
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

std::string_view AddressNamer::keep_path(std::string_view path) {
  if (path.empty()) return {};
  std::string_view& known = paths_[path.data()];
  if (known.empty()) known = keep_once(path);
  return known;
}

std::string_view AddressNamer::keep_once(std::string_view text) {
  std::string_view& kept = kept_once_[std::string(text)];
  if (kept.empty()) kept = keep(std::string(text));
  return kept;
}

AddressNamer::Text AddressNamer::make_text(std::string_view name, bool resolver) {
  std::string shown = demangle(name, module_.options.demangle, !module_.is_go);
  if (resolver) shown += " [ifunc resolver]";
  std::string_view system_name = keep(std::string(name));
  return {shown == name ? system_name : keep(std::move(shown)), system_name};
}

const AddressNamer::Text& AddressNamer::text_of(const FunctionSymbol& symbol) {
  if (symbol_texts_.empty()) symbol_texts_.resize(module_.symbols.size());
  Text& text = symbol_texts_[module_.symbols.index_of(&symbol)];
  if (text.function.empty()) text = make_text(symbol.name, symbol.resolver);
  return text;
}

// Debug information says which function a cold part or a clone belongs to: it goes by that function's name.
const AddressNamer::Text& AddressNamer::text_of_whole(const FunctionSymbol& symbol) {
  std::string_view name = module_.is_go ? symbol.name : without_clone_suffix(symbol.name);
  if (name.size() == symbol.name.size()) return text_of(symbol);
  Text& text = whole_texts_[symbol.name.data()];
  if (text.function.empty()) text = make_text(name, false);
  return text;
}

const AddressNamer::Text& AddressNamer::text_of(const dwarf::Frame& frame) {
  bool linked = !frame.name.linkage.empty();
  std::string_view name = linked ? frame.name.linkage : frame.name.plain;
  bool qualify = !linked && !frame.qualified.empty() && module_.options.demangle != DemangleWidth::kNone;
  Text& text = debug_texts_[qualify ? frame.qualified.data() : name.data()];
  if (!text.function.empty()) return text;
  text = make_text(name, false);
  if (qualify) {
    bool brief = module_.options.demangle == DemangleWidth::kShort;
    text.function = keep(brief ? without_template_arguments(frame.qualified) : std::string(frame.qualified));
  }
  return text;
}

}  // namespace dwell
