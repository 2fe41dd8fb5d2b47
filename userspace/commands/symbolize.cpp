// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "ui/escape.h"
#include "userspace/base/confinement.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/record/symbols.h"
#include "userspace/subjects/chunks.h"
#include "userspace/recording/writer.h"

namespace dwell {
namespace {

DemangleWidth width_named(const std::string& name) {
  if (name == "none") return DemangleWidth::kNone;
  return name == "full" ? DemangleWidth::kFull : DemangleWidth::kShort;
}

void tell_module(const ModuleNames& names, bool verbose) {
  const ModuleReport& report = names.report;
  std::string path = printable(names.module.path);
  std::uint64_t unnamed = names.counters.by_source[static_cast<int>(NameSource::kNone)];
  if (verbose && !report.symbols_from.empty())
    fmt::print("{}: names from {}{}{}\n", path, report.symbols_from,
               report.debug_from.empty() ? "" : ", lines from ", report.debug_from);
  if (!unnamed && report.problem.empty()) return;
  fmt::print("{}{}{}: {} of {} addresses have no name{}{}\n", path,
             names.module.build_id.empty() ? "" : ", build id ", names.module.build_id, unnamed,
             names.counters.addresses, report.problem.empty() ? "" : ": ", report.problem);
  if (!report.hint.empty()) fmt::print("  hint: {}\n", report.hint);
}

// Programs and their debug files may lie anywhere; nothing is written but the output. A client of servers needs more.
Result<void> confine(const SymbolizeCommand& command) {
  if (command.debuginfod) return forbid_new_privileges();
  Result<bool> entered = enter({{command.path}, command.output.empty() ? command.path : command.output, {"/"}});
  if (!entered) return entered.error();
  if (!*entered && command.verbose) fmt::print("this kernel has no Landlock: access to files is not confined\n");
  return {};
}

}  // namespace

Result<Exit> run(const SymbolizeCommand& command) {
  if (Result<void> confined = confine(command); !confined) return confined.error();
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
  SymbolizerOptions options;
  options.demangle = width_named(command.demangle);
  options.debug_dirs = command.debug_dirs;
  options.sysroot = command.sysroot;
  options.debuginfod = command.debuginfod;
  Symbolizer symbolizer(options);
  auto by_path = [](const Module& module) {
    ModuleRef ref;
    ref.path = module.path;
    ref.build_id = module.build_id;
    for (const CodeSegment& segment : module.code)
      ref.segments.push_back({segment.vaddr, segment.file_offset, segment.size, segment.size, true});
    return ref;
  };
  // Code without a file got its names where it ran; nothing here could do better.
  auto has_file = [](const Module& module) { return module.kind == ModuleKind::kFile; };
  ResolvedSymbols resolved = resolve_symbols(recording->modules, recording->locations, recording->symbols, by_path,
                                             symbolizer, has_file);
  const std::string& output = command.output.empty() ? command.path : command.output;
  ReplacedFile replaced(output == command.path ? "" : output);
  if (Result<void> written = rewrite_symbols(command.path, output, resolved.symbols); !written)
    return written.error();
  replaced.tell();
  for (const ModuleNames& names : resolved.modules) tell_module(names, command.verbose);
  return Exit::kOk;
}

}  // namespace dwell
