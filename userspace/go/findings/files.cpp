// SPDX-License-Identifier: Apache-2.0
// Files that are opened and not closed.
#include <fmt/core.h>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/data_users.h"
#include "userspace/go/findings/parts.h"

namespace dwell {

void add_open_files(CodeOnDemand& code, GoroutineReport& report) {
  if (!report.stuck || !files_grow(report.stuck->files)) return;
  const GoOpenFiles& files = report.stuck->files;
  GoMakers makers = makers_of_files(code.sites());
  // Files that are closed where they are opened are under way.
  if (makers.never_calls.empty()) return;
  Finding& finding = report.findings.emplace_back();
  finding.weight = FindingWeight::kPileUp;
  finding.headline = fmt::format("{} files are open, {} more than {} ago: opened {}, which never calls {}",
                                 count_text(files.count), count_text(files.count - files.count_before),
                                 human_duration(files.since_ns), places_text(makers), makers.never_calls);
  finding.evidence.push_back(files.closed
                                 ? fmt::format("{} of those {} were closed meanwhile",
                                               count_text(files.closed), count_text(files.count_before))
                                 : "none of them was closed meanwhile");
  if (files.held * 2 >= files.count)
    finding.evidence.push_back(fmt::format("{} are held through {}", count_text(files.held),
                                           variable_text(code.runtime(), files.holder)));
  finding.command = fmt::format("dwell record {}", report.pid);
}

}  // namespace dwell
