// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/subject.h"

#include "userspace/threads/blocked.h"
#include "userspace/threads/blocked_text.h"
#include "userspace/threads/codec.h"
#include "userspace/threads/report.h"
#include "userspace/threads/sites.h"
#include "userspace/threads/sites_text.h"
#include "userspace/threads/text.h"
#include "userspace/threads/tracing.h"

namespace dwell {
namespace {

bool has_look(const Recording& recording) { return !threads_of(recording).looks.empty(); }
bool has_sites(const Recording& recording) { return !threads_of(recording).ticks.empty(); }
bool has_blocked(const Recording& recording) { return !threads_of(recording).blocked.sites.empty(); }

class ThreadsRecordPart : public RecordPart {
 public:
  void declare(OptionSet& options) override {
    options.flag("--threads", threads_, "who creates threads, and what becomes of them, too");
    options.flag("--blocked", blocked_,
                 "for how long its threads are blocked, where, and who wakes them up; implies --threads");
  }
  std::vector<TracerLoader> tracers(const RecordOptions& options, const Peers& peers) const override {
    if (!threads_ && !blocked_ && !options.look_every_ns) return {};
    return {ThreadTracing::loader({blocked_, peers.runtimes})};
  }

 private:
  bool threads_ = false, blocked_ = false;
};

std::string behind(const Recording& recording, const SectionStyle& how, const Peers& peers) {
  std::string text;
  if (has_sites(recording))
    text += thread_sites_text(thread_sites(recording), {.style = how.style, .sites = how.sites, .stacks = how.stacks});
  if (has_blocked(recording))
    text += blocked_text(blocked_report(recording), {.style = how.style, .sites = how.sites, .stacks = how.stacks});
  text += looks_text(look_summaries(recording), how.style);
  if (Result<ThreadReport> last = thread_report(recording, {}, peers.block_sites))
    text += thread_verdicts_text(*last, how.style);
  return text;
}

void add_json(const Recording& recording, const Peers&, Json& whole) {
  if (!has_sites(recording)) return;
  whole["thread_sites"] = thread_sites_json(thread_sites(recording));
  if (has_blocked(recording)) whole["blocked"] = blocked_json(blocked_report(recording));
  whole["looks"] = looks_json(look_summaries(recording));
}

Result<std::string> look_text(const Recording& recording, const SectionStyle& how, const Peers& peers) {
  Result<ThreadReport> report = thread_report(recording, {}, peers.block_sites);
  return report ? Result<std::string>(threads_text(*report, {.style = how.style, .groups = how.sites})) : report.error();
}

Result<std::string> look_json(const Recording& recording, const Peers& peers) {
  Result<ThreadReport> report = thread_report(recording, {}, peers.block_sites);
  return report ? Result<std::string>(threads_json(*report)) : report.error();
}

}  // namespace

Subject threads_subject() {
  Subject subject;
  subject.name = "threads";
  subject.chunks = kThreadChunks;
  subject.views = {
      {"look", "threads by stack, in the last look at them", has_look, "dwell record --look-every 10s, or dwell threads -o FILE",
       [](const Recording& recording, const ViewFilter&) { return thread_profile(recording); }},
      {"created", "threads by the call site that created them", has_sites, "dwell record --threads",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return thread_sites_profile(recording); }},
      {"blocked", "for how long threads were blocked, and where", has_blocked, "dwell record --blocked",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return blocked_profile(recording); }}};
  subject.record_part = []() -> std::unique_ptr<RecordPart> { return std::make_unique<ThreadsRecordPart>(); };
  subject.behind = behind;
  subject.json = add_json;
  subject.has_look = has_look;
  subject.look_text = look_text;
  subject.look_json = look_json;
  return subject;
}

}  // namespace dwell
