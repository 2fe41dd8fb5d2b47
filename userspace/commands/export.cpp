// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "userspace/clocks/profile.h"
#include "userspace/clocks/report.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/go/record/profiles.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/kinds.h"
#include "userspace/threads/blocked.h"
#include "userspace/go/contexts/made_report.h"
#include "userspace/go/heap/allocs_report.h"
#include "userspace/go/waits/parks_report.h"
#include "userspace/threads/report.h"
#include "userspace/threads/sites.h"
#include "userspace/go/part.h"
#include "userspace/threads/part.h"
#include "userspace/memory/part.h"

namespace dwell {
namespace {

Result<Profile> clocks_profile_of(const Recording& recording) {
  Result<ClocksReport> report = clocks_report(recording);
  if (!report) return report.error();
  return clocks_profile(*report);
}

// What manages its memory itself has nothing to show of allocators.
bool of_go_alone(const Recording& recording) { return !go_of(recording).looks.empty() && memory_of(recording).series.empty(); }

// What was asked for by --go-heap, else the runtime's own.
Result<Profile> heap_of_go(const Recording& recording) {
  return go_of(recording).allocs ? go_allocs_profile(recording) : go_heap_profile(recording);
}

Result<Profile> go_profile_of(const std::string& view, const Recording& recording) {
  if (view == "go-heap") return heap_of_go(recording);
  if (view == "go-mutex") return go_contention_profile(recording, GoProfileKind::kMutex);
  if (view == "go-block") return go_contention_profile(recording, GoProfileKind::kBlock);
  return goroutine_profile(recording);
}

Result<Profile> profile_of(const ExportCommand& command, const Recording& recording) {
  if (!command.go.empty()) return go_profile_of(command.go, recording);
  if (command.thread_sites) {
    if (!threads_of(recording).ticks.empty()) return thread_sites_profile(recording);
    return Error{"export: this recording did not follow threads", "record with --threads", Exit::kUsage};
  }
  if (command.clocks) return clocks_profile_of(recording);
  if (command.contexts) {
    if (go_of(recording).contexts) return go_contexts_profile(recording);
    return Error{"export: this recording did not follow contexts", "record with --contexts", Exit::kUsage};
  }
  if (command.blocked) {
    if (!threads_of(recording).blocked.sites.empty()) return blocked_profile(recording);
    return Error{"export: this recording has no blocked time", "record with --blocked", Exit::kUsage};
  }
  if (command.go_blocked) {
    if (go_of(recording).parks) return go_parks_profile(recording);
    return Error{"export: this recording did not follow goroutines that park", "record with --go-blocked", Exit::kUsage};
  }
  if (command.threads || one_look_at_threads(recording)) return thread_profile(recording);
  if (of_go_alone(recording))
    return go_of(recording).profiles.empty() && !go_of(recording).allocs ? goroutine_profile(recording) : heap_of_go(recording);
  return memory_profile(recording, command.view, command.filter);
}

}  // namespace

Result<Exit> run(const ExportCommand& command) {
  Result<ExportFormat> format = choose_format(command.format, command.output);
  if (!format) return format.error();
  if (Result<bool> entered = enter({{command.path}, command.output, {}}); !entered) return entered.error();
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
  Result<Profile> profile = profile_of(command, *recording);
  if (!profile) return profile.error();
  ExportOptions how;
  how.sample_type = command.sample_type;
  how.root_at_bottom = command.root_at_bottom;
  bool has_memory = !of_go_alone(*recording) && !one_look_at_threads(*recording);
  how.difference = has_memory && command.view == MemoryView::kGrowing;
  Result<std::string> content = export_profile(*profile, *format, how);
  if (!content) return content.error();
  if (Result<void> written = write_output(command.output, *content); !written) return written.error();
  return Exit::kOk;
}

Result<Exit> run(const PrintAndExit& command) {
  bool mistake = command.exit != 0;
  if (::write(mistake ? STDERR_FILENO : STDOUT_FILENO, command.text.data(), command.text.size()) < 0)
    return Exit::kOutput;
  return static_cast<Exit>(command.exit);
}

}  // namespace dwell
