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

Names::Names() : symbolizer_(short_names()) {}

// From a process that has it mapped.
ModuleRef Names::source_of(const Module& module) const {
  ModuleRef ref;
  ref.path = module.path;
  ref.build_id = module.build_id;
  if (module.kind == ModuleKind::kVdso) ref.kind = CodeKind::kVdso;
  if (module.kind == ModuleKind::kJit) ref.kind = CodeKind::kJit;
  if (module.kind == ModuleKind::kKernel) ref.kind = CodeKind::kKernel;
  for (const CodeSegment& segment : module.code) ref.segments.push_back({segment.vaddr, segment.file_offset, segment.size, segment.size, true});
  for (pid_t pid : pids_) {
    if (process_has_ended(pid)) continue;
    Result<std::vector<Mapping>> mappings = read_maps(pid);
    auto found = mappings ? std::ranges::find_if(*mappings, [&](const Mapping& one) { return one.executable && one.path == module.path; })
                          : std::vector<Mapping>::iterator();
    bool has_it = mappings && found != mappings->end();
    if (!has_it && ref.pid) continue;
    ref.pid = pid;
    ref.foreign_root = !has_our_root(pid);
    ref.owner = owner_of(pid);
    if (!has_it) continue;
    // The very file, though its path may lead to another one by now.
    if (Result<std::string> path = path_to_open(pid, *found)) ref.open_path = *path;
    break;
  }
  return ref;
}

void Names::add_to(Recording& recording) {
  std::size_t before = symbols_.size();
  pids_.clear();
  for (const ProcessInfo& process : recording.processes)
    if (process.pid && !process.end_ns) pids_.push_back(static_cast<pid_t>(process.pid));
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
