// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/names.h"

#include <algorithm>
#include <span>

#include "symbolizer/proc_maps.h"
#include "userspace/base/open_regular.h"
#include "userspace/process/process.h"
#include "userspace/record/symbols.h"

namespace dwell::top {
namespace {

SymbolizerOptions short_names() {
  SymbolizerOptions how;
  how.demangle = DemangleWidth::kShort;
  return how;
}

}  // namespace

Names::Names(pid_t pid) : pid_(pid), foreign_root_(!has_our_root(pid)), owner_(owner_of(pid)), symbolizer_(short_names()) {}

ModuleRef Names::source_of(const Module& module) const {
  ModuleRef ref;
  ref.path = module.path;
  ref.build_id = module.build_id;
  ref.pid = process_has_ended(pid_) ? 0 : pid_;
  ref.foreign_root = foreign_root_;
  ref.owner = owner_;
  if (module.kind == ModuleKind::kVdso) ref.kind = CodeKind::kVdso;
  if (module.kind == ModuleKind::kJit) ref.kind = CodeKind::kJit;
  if (module.kind == ModuleKind::kKernel) ref.kind = CodeKind::kKernel;
  // The very file, though its path may lead to another one by now.
  if (Result<std::vector<Mapping>> mappings = read_maps(pid_))
    for (const Mapping& mapping : *mappings)
      if (mapping.executable && mapping.path == module.path) {
        if (Result<std::string> path = path_to_open(pid_, mapping)) ref.open_path = *path;
        break;
      }
  for (const CodeSegment& segment : module.code) ref.segments.push_back({segment.vaddr, segment.file_offset, segment.size, segment.size, true});
  return ref;
}

void Names::add_to(Recording& recording) {
  std::size_t before = symbols_.size();
  if (recording.locations.size() > before) {
    std::span<const Location> fresh = std::span(recording.locations).subspan(before);
    ResolvedSymbols found = resolve_symbols(recording.modules, fresh, {}, [this](const Module& module) { return source_of(module); },
                                            symbolizer_, [](const Module&) { return true; });
    symbols_.insert(symbols_.end(), std::make_move_iterator(found.symbols.begin()), std::make_move_iterator(found.symbols.end()));
  }
  recording.symbols.resize(std::max(recording.symbols.size(), symbols_.size()));
  for (std::size_t i = 0; i < symbols_.size(); ++i)
    if (recording.symbols[i].frames.empty()) recording.symbols[i] = symbols_[i];
}

}  // namespace dwell::top
