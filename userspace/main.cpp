// SPDX-License-Identifier: Apache-2.0
// dwell: reads the command line, runs the command, prints the one error, picks the exit code.
#include <fmt/core.h>

#include <cstdio>
#include <new>

#include "userspace/base/memory_limit.h"
#include "userspace/base/oom.h"
#include "userspace/base/short_life.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/options.h"
#include "userspace/commands/output.h"
#include "userspace/commands/pager.h"

namespace {

constexpr double kShareOfRecord = 0.25, kShareOfOthers = 0.5;  // of the memory that is free

struct RunCommand {
  template <typename Command>
  dwell::Result<dwell::Exit> operator()(const Command& asked) const {
    constexpr bool kRecords = std::is_same_v<Command, dwell::RecordCommand> || std::is_same_v<Command, dwell::TopCommand>;
    if constexpr (requires { asked.max_memory; })
      dwell::choose_memory_limit(asked.max_memory, kRecords ? kShareOfRecord : kShareOfOthers);
    // What these start is not to be held to it, so they set the limit themselves.
    if constexpr (!kRecords) {
      dwell::keep_memory_limit();
      dwell::prepare_for_short_life();
    }
    return dwell::run(asked);
  }
};

dwell::Result<dwell::Exit> run(const dwell::Command& command) {
  try {
    return std::visit(RunCommand(), command);
  } catch (const std::bad_alloc&) {
    return dwell::no_memory("run this command");
  }
}

}  // namespace

int main(int argc, char** argv) {
  dwell::Command command = dwell::parse_command_line(argc, argv);
  if (dwell::wants_pager(command)) dwell::Pager::start();
  dwell::offer_ourselves_to_oom();
  dwell::Result<dwell::Exit> result = run(command);
  dwell::Pager::finish();
  dwell::say_what_is_left();
  if (result) return static_cast<int>(*result);
  fmt::print(stderr, "{}", dwell::error_text(result.error()));
  return static_cast<int>(result.error().exit);
}
