// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "ui/clocks_json.h"
#include "ui/clocks_text.h"
#include "ui/escape.h"
#include "ui/text_style.h"
#include "userspace/clocks/clocks_look.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"

namespace dwell {

Result<Exit> run(const ClocksCommand& command) {
  Result<ClocksReport> report = look_at_clocks(command.options, [](const std::string& message) {
    fmt::print(stderr, "{}; Ctrl-C ends it\n", printable(message));
  });
  if (!report) return report.error();
  std::string content = command.json ? clocks_json(*report)
                                     : clocks_text(*report, {.style = text_style_of(STDOUT_FILENO),
                                                             .sites = command.sites,
                                                             .stacks = command.stacks});
  if (Result<void> written = write_output("", content); !written) return written.error();
  return Exit::kOk;
}

}  // namespace dwell
