// SPDX-License-Identifier: Apache-2.0
// dwell: reads the command line, runs the command, prints the one error, picks the exit code.
#include <fmt/core.h>

#include <cstdio>

#include "ui/escape.h"
#include "userspace/base/oom.h"
#include "userspace/base/short_life.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/options.h"

int main(int argc, char** argv) {
  dwell::Command command = dwell::parse_command_line(argc, argv);
  dwell::offer_ourselves_to_oom();
  if (!std::holds_alternative<dwell::RecordCommand>(command)) dwell::prepare_for_short_life();
  dwell::Result<dwell::Exit> result =
      std::visit([](const auto& asked) -> dwell::Result<dwell::Exit> { return dwell::run(asked); }, command);
  if (result) return static_cast<int>(*result);
  // What failed may be a file that the target has named.
  fmt::print(stderr, "dwell: {}\n", dwell::printable(result.error().what));
  if (!result.error().hint.empty()) fmt::print(stderr, "hint: {}\n", dwell::printable(result.error().hint));
  return static_cast<int>(result.error().exit);
}
