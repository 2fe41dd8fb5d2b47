// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/made_report.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

// Stacks that read the same are one site.
using RowKey = std::tuple<std::string, std::string, ProcessSlot, std::vector<std::uint32_t>>;

bool is_machinery(const ReportFrame& frame) { return frame.function.starts_with("context."); }

}  // namespace

bool GoContextRow::kept_by_parent() const {
  return parents.starts_with("cancel") || parents.starts_with("deadline") || parents.starts_with("after");
}

GoContextsReport go_contexts_report(RecordingRef from) {
  const Recording& recording = *from;
  const GoContexts& contexts = *go_of(recording).contexts;
  GoContextsReport report;
  report.duration_ns = contexts.duration_ns;
  report.probe_hits = contexts.probe_hits;
  report.trap_ns = contexts.trap_ns;
  report.bpf_ns = known_time(contexts.bpf_ns);
  report.lost = contexts.lost;
  report.unknown = contexts.unknown;
  report.notes = contexts.notes;
  auto texts = std::make_shared<const FrameTexts>(from);
  std::map<RowKey, GoContextRow> rows;
  for (const GoContextFacts& facts : contexts.sites) {
    const CallStack& stack = recording.stacks[static_cast<std::size_t>(facts.stack)];
    const std::string& kind = contexts.words[facts.kind];
    const std::string& parents = contexts.words[facts.parents];
    auto [at, fresh] = rows.try_emplace({kind, parents, facts.process, texts->readings_of(stack)});
    GoContextRow& row = at->second;
    if (fresh) {
      row.kind = kind;
      row.parents = parents;
      row.stack = {texts, facts.stack};
      std::vector<ReportFrame> frames = row.stack.frames();
      if (!frames.empty()) row.incomplete = incomplete_because(stack.end);
      auto own = std::ranges::find_if_not(frames, is_machinery);
      row.own = own == frames.end() ? 0 : static_cast<std::size_t>(own - frames.begin());
    }
    row.made += facts.made;
    row.cancelled += facts.cancelled;
    row.collected += facts.collected;
    row.alive += facts.alive;
    row.lived_ns += facts.lived_ns;
    row.oldest_ns = std::max(row.oldest_ns, facts.oldest_ns);
    row.longest_ns = std::max(row.longest_ns, facts.longest_ns);
  }
  for (auto& [key, row] : rows) report.rows.push_back(std::move(row));
  std::ranges::stable_sort(report.rows, [](const GoContextRow& a, const GoContextRow& b) {
    return std::tuple(a.alive, a.made) > std::tuple(b.alive, b.made);
  });
  return report;
}

Profile go_contexts_profile(const Recording& recording) {
  const GoContexts& contexts = *go_of(recording).contexts;
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  profile.title = "contexts that were not cancelled";
  profile.sample_types = {{"alive", "count"}, {"made", "count"}};
  profile.default_sample_type = 0;
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns);
  profile.duration_ns = static_cast<std::int64_t>(contexts.duration_ns);
  for (const GoContextFacts& site : contexts.sites)
    profile.samples.push_back(
        {builder.stack(site.stack),
         {static_cast<std::int64_t>(site.alive), static_cast<std::int64_t>(site.made)},
         {{"kind", contexts.words[site.kind], 0, ""}, {"parents", contexts.words[site.parents], 0, ""}}});
  return std::move(builder.profile);
}

}  // namespace dwell
