// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/subject.h"

#include "userspace/clocks/codec.h"
#include "userspace/clocks/json.h"
#include "userspace/clocks/look_part.h"
#include "userspace/clocks/profile.h"
#include "userspace/clocks/report.h"
#include "userspace/clocks/text.h"
#include "userspace/clocks/tracing.h"

namespace dwell {
namespace {

bool has_clocks(const Recording& recording) { return clocks_of(recording).look.has_value(); }

Result<Profile> reads(const Recording& recording, const ViewFilter&) {
  Result<ClocksReport> report = clocks_report(recording);
  return report ? Result<Profile>(clocks_profile(*report)) : report.error();
}

std::vector<TracerLoader> tracers(const Chosen&, const RecordOptions&, const Peers&) { return {ClockTracing::load}; }

Result<std::string> text_of(const Recording& recording, const SectionStyle& how, const Peers&) {
  Result<ClocksReport> report = clocks_report(recording);
  if (!report) return report.error();
  return clocks_text(*report, {.style = how.style, .sites = how.sites, .stacks = how.stacks});
}

Result<std::string> json_of(const Recording& recording, const Peers&) {
  Result<ClocksReport> report = clocks_report(recording);
  return report ? Result<std::string>(clocks_json(*report)) : report.error();
}

}  // namespace

Subject clocks_subject() {
  Subject subject;
  subject.name = "clocks";
  subject.sentence = "which code reads or sleeps on which clock, and who stepped it";
  subject.chunks = kClockChunks;
  subject.views = {{"reads", "reads of clocks, and waits by them", has_clocks, "dwell record --clocks", reads}};
  subject.followed = {{"reads", "which code reads or sleeps on which clock, and who steps it", false, "--clocks"}};
  subject.tracers = tracers;
  subject.look = clocks_look_command();
  subject.has_look = has_clocks;
  subject.look_text = text_of;
  subject.look_json = json_of;
  return subject;
}

}  // namespace dwell
