// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/subject.h"

#include "userspace/base/text.h"
#include "userspace/threads/blocked.h"
#include "userspace/threads/blocked_text.h"
#include "userspace/threads/codec.h"
#include "userspace/threads/locks/report.h"
#include "userspace/threads/locks/text.h"
#include "userspace/threads/locks/tracing.h"
#include "userspace/threads/look_part.h"
#include "userspace/threads/report.h"
#include "userspace/threads/sites.h"
#include "userspace/threads/sites_text.h"
#include "userspace/threads/text.h"
#include "userspace/threads/tracing.h"

namespace dwell {
namespace {

bool has_look(const Recording& recording) { return !threads_of(recording).looks.empty(); }
bool has_sites(const Recording& recording) { return !threads_of(recording).ticks.empty(); }
bool has_lock_waits(const Recording& recording) { return threads_of(recording).lock_waits.time_ns != 0; }
bool has_blocked(const Recording& recording) { return !threads_of(recording).blocked.sites.empty(); }

std::vector<TracerLoader> tracers(const Chosen& chosen, const RecordOptions&, const Peers&) {
  std::vector<TracerLoader> loaders;
  if (chosen.has("look") || chosen.has("created") || chosen.has("blocked"))
    loaders.push_back(ThreadTracing::loader({.looks = chosen.has("look"),
                                             .created = chosen.has("created"),
                                             .blocked = chosen.has("blocked"),
                                             .asked_for = chosen.by_name}));
  if (chosen.has("locks")) loaders.push_back(LockTracing::loader());
  return loaders;
}

std::string behind(const Recording& recording, const SectionStyle& how, const Peers& peers) {
  std::string text;
  // Nothing to say of threads that nobody created, unless threads are what was asked about.
  ThreadSitesReport sites = has_sites(recording) ? thread_sites(recording) : ThreadSitesReport();
  if (has_sites(recording) && (how.with_look || !sites.sites.empty() || !has_look(recording)))
    text += thread_sites_text(sites, {.style = how.style, .sites = how.sites, .stacks = how.stacks});
  if (has_blocked(recording))
    text += blocked_text(blocked_report(recording), {.style = how.style, .sites = how.sites, .stacks = how.stacks});
  if (has_lock_waits(recording)) text += lock_waits_text(lock_report(recording, peers.block_sites), how);
  text += looks_text(look_summaries(recording), how.style);
  if (how.with_look) return text;  // which tells what is wrong
  if (Result<ThreadReport> last = thread_report(recording, {}, peers.block_sites))
    text += thread_verdicts_text(*last, how.style);
  return text;
}

// Each verdict's own sentence: its evidence is in the section.
std::vector<std::string> sentences(const Recording& recording, const Peers& peers) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> all;
  if (has_lock_waits(recording)) all = lock_wait_sentences(lock_report(recording, nullptr));
  Result<ThreadReport> last = thread_report(recording, {}, peers.block_sites);
  if (!last) return all;
  std::erase_if(last->verdicts, [](const Verdict& verdict) { return !verdict.is_trouble(); });
  std::string text = thread_verdicts_text(*last, {});
  for (std::string_view line : split(text, '\n'))
    if (!line.empty() && line[0] != ' ' && all.size() < kMost) all.emplace_back(line);
  return all;
}

void add_json(const Recording& recording, const Peers& peers, Json& whole) {
  if (has_lock_waits(recording)) whole["lock_waits"] = lock_waits_json(lock_report(recording, peers.block_sites));
  if (has_sites(recording)) whole["thread_sites"] = thread_sites_json(thread_sites(recording));
  if (has_blocked(recording)) whole["blocked"] = blocked_json(blocked_report(recording));
  if (has_look(recording)) whole["looks"] = looks_json(look_summaries(recording));
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
  subject.sentence = "what threads wait for, who creates them, and for how long they are blocked";
  subject.chunks = kThreadChunks;
  subject.views = {
      {"look", "threads by stack, in the last look at them", has_look, "dwell record, or dwell threads -o FILE",
       [](const Recording& recording, const ViewFilter&) { return thread_profile(recording); }},
      {"created", "threads by the call site that created them", has_sites, "dwell record",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return thread_sites_profile(recording); }},
      {"blocked", "for how long threads were blocked, and where", has_blocked, "dwell record --blocked",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return blocked_profile(recording); }},
      {"locks", "for how long threads waited for locks, where, who held them, and for how long", has_lock_waits, "dwell record --locks",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return lock_profile(recording); }}};
  subject.followed = {{"look", "snapshots of all threads, every second at first: what each waits for, and for how long", true},
                      {"created", "who creates threads, and which of them were never joined", true},
                      {"blocked", "for how long threads are blocked, where, and who wakes them up", false, "--blocked"},
                      {"locks", "for how long threads wait for locks, where, who holds them, and for how long", false, "--locks"}};
  subject.tracers = tracers;
  subject.look = threads_look_command();
  subject.behind = behind;
  subject.sentences = sentences;
  subject.json = add_json;
  subject.has_look = has_look;
  subject.look_text = look_text;
  subject.look_json = look_json;
  return subject;
}

}  // namespace dwell
