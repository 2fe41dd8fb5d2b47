// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "ui/words.h"
#include "userspace/go/code/places.h"
#include "userspace/go/code/wall_reads.h"
#include "userspace/go/findings/parts.h"

namespace dwell {

// Of the main package only: libraries compare times that they got from elsewhere.
void add_wall_reads(const GoRuntime& runtime, GoroutineReport& report) {
  std::vector<WallRead> reads = compared_wall_reads(runtime, "main.");
  // An inlined call may be of another package.
  std::erase_if(reads, [](const WallRead& read) { return !read.place.function.starts_with("main."); });
  if (reads.empty()) return;
  Finding finding;
  finding.weight = FindingWeight::kWaste;
  finding.headline = fmt::format("{} of the program {} the wall clock, which can be set: {}", counted(reads.size(), "line"),
                                 reads.size() == 1 ? "compares" : "compare", place_text(reads[0].place));
  for (std::size_t i = 1; i < reads.size() && i <= 3; ++i) finding.evidence.push_back("and " + place_text(reads[i].place));
  finding.evidence.push_back(fmt::format("by time.Now().{}(), read in its code; time.Since and Time.Before use the monotonic clock", reads[0].by));
  finding.command = "dwell record --clocks " + std::to_string(report.pid);
  report.findings.push_back(std::move(finding));
}

}  // namespace dwell
