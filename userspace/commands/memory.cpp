// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <unistd.h>

#include <optional>

#include "ui/json_parts.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/reach/leaks_text.h"
#include "userspace/process/find_process.h"

namespace dwell {
namespace {

// None where leaks were not asked for, or no heap was found.
Result<std::optional<memory::reach::LeakReport>> leaks_of(const MemoryCommand& command, const memory::MemoryLook& look) {
  if (!command.leaks || !look.no_heap.empty()) return std::optional<memory::reach::LeakReport>();
  auto leaks = memory::reach::find_leaks({look.process.pid, command.options.max_read_per_s});
  if (!leaks) return leaks.error();
  return std::optional(std::move(*leaks));
}

}  // namespace

Result<Exit> run(const MemoryCommand& command) {
  Result<pid_t> pid = find_process(command.target);
  if (!pid) return pid.error();
  memory::LookOptions options = command.options;
  options.pid = *pid;
  Result<memory::MemoryLook> look = memory::look_at_memory(options);
  if (!look) return look.error();
  auto leaks = leaks_of(command, *look);
  if (!leaks) return leaks.error();
  std::string content;
  if (command.json) {
    Json json = memory::look_json(*look);
    json["leaks"] = *leaks ? memory::reach::leaks_json(**leaks) : Json(nullptr);
    content = json_text(json);
  } else {
    TextStyle style = text_style_of(STDOUT_FILENO);
    content = memory::look_text(*look, {style, command.rows});
    if (*leaks) content += memory::reach::leaks_text(**leaks, style, command.rows);
  }
  if (Result<void> written = write_output("", content); !written) return written.error();
  if (*leaks && (*leaks)->lost_blocks) return Exit::kFound;
  if (look->no_heap.empty()) return Exit::kOk;
  return Error{fmt::format("look at the heap of PID {}: {}", *pid, look->no_heap),
               fmt::format("record what it maps: dwell record {} -d 60", *pid), Exit::kUnsupported};
}

}  // namespace dwell
