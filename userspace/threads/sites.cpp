// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/sites.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "userspace/views/frames.h"
#include "userspace/views/growth.h"
#include "userspace/views/profile_builder.h"
#include "userspace/threads/verdicts.h"
#include "userspace/threads/part.h"

namespace dwell {
namespace {

// Creators that read the same are one site, if what they have run does too.
struct SiteKey {
  ProcessSlot process;
  std::vector<std::uint32_t> stack;
  std::uint32_t routine;  // its reading + 1; 0: not known
  auto operator<=>(const SiteKey&) const = default;
};

struct Site {
  ThreadSite example;  // one of those that read so
  ThreadCounts counts;
  std::vector<std::pair<std::uint64_t, std::int64_t>> changes;  // of what stays, by time
  std::optional<std::uint64_t> oldest_birth_ns;
};

SiteKey key_of(const Recording& recording, const FrameTexts& texts, const ThreadSite& site) {
  return {site.process, texts.readings_of(recording.stacks[static_cast<std::size_t>(site.stack)]),
          site.routine ? texts.reading(site.routine - 1) + 1 : 0};
}

void add(ThreadCounts& counts, const ThreadSiteChange& change) {
  counts.created += change.created;
  counts.ended += change.ended;
  counts.unjoined += change.unjoined;
}

std::map<SiteKey, Site> sites_of(const Recording& recording, const FrameTexts& texts) {
  std::map<SiteKey, Site> sites;
  for (const ThreadTick& tick : threads_of(recording).ticks) {
    for (const ThreadSiteChange& change : tick.changes) {
      Site& site = sites[key_of(recording, texts, change.site)];
      site.example = change.site;
      add(site.counts, change);
      std::int64_t stays = static_cast<std::int64_t>(change.created) -
                           static_cast<std::int64_t>(change.ended) + change.unjoined;
      site.changes.emplace_back(tick.end_ns, stays);
    }
  }
  for (const LiveThread& thread : threads_of(recording).live.threads) {
    auto site = sites.find(key_of(recording, texts, thread.site));
    if (site == sites.end()) continue;
    std::optional<std::uint64_t>& oldest = site->second.oldest_birth_ns;
    oldest = std::min(oldest.value_or(thread.birth_ns), thread.birth_ns);
  }
  return sites;
}

std::optional<double> growth_of(const Recording& recording, const Site& site) {
  std::vector<std::uint64_t> times;
  std::vector<double> staying;
  std::int64_t stays = 0;
  std::size_t next = 0;
  for (const ThreadTick& tick : threads_of(recording).ticks) {
    for (; next < site.changes.size() && site.changes[next].first <= tick.end_ns; ++next)
      stays += site.changes[next].second;
    times.push_back(tick.end_ns);
    staying.push_back(static_cast<double>(stays));
  }
  return slope_per_minute(times, staying);
}

}  // namespace

ThreadSitesReport thread_sites(RecordingRef from) {
  const Recording& recording = *from;
  auto texts = std::make_shared<const FrameTexts>(from);
  ThreadSitesReport report;
  for (const auto& [key, site] : sites_of(recording, *texts)) {
    ThreadSiteReport row;
    row.process = key.process;
    const CallStack& stack = recording.stacks[static_cast<std::size_t>(site.example.stack)];
    row.stack = {texts, site.example.stack};
    if (!stack.locations.empty()) row.incomplete = incomplete_because(stack.end);
    if (site.example.routine) row.routine = texts->frames(site.example.routine - 1).back();
    row.counts = site.counts;
    row.growth_per_minute = growth_of(recording, site);
    if (site.oldest_birth_ns)
      row.oldest_age_ns =
          threads_of(recording).live.time_ns - std::min(threads_of(recording).live.time_ns, *site.oldest_birth_ns);
    report.total.created += row.counts.created;
    report.total.ended += row.counts.ended;
    report.total.unjoined += row.counts.unjoined;
    report.sites.push_back(std::move(row));
  }
  auto rank = [](const ThreadSiteReport& site) {
    return std::tuple(site.counts.staying(), site.counts.created);
  };
  std::ranges::stable_sort(report.sites, std::greater<>(), rank);
  return report;
}

std::vector<LookSummary> look_summaries(const Recording& recording) {
  std::vector<LookSummary> summaries;
  for (const ThreadLook& look : threads_of(recording).looks) {
    LookSummary summary{look.time_ns - std::min(look.time_ns, recording.start_ns()), look.threads.size(), 0};
    for (const Verdict& verdict : find_verdicts(look, {}))
      if (verdict.stuck_for_good()) summary.stuck += verdict.threads.size();
    summaries.push_back(summary);
  }
  return summaries;
}

Profile thread_sites_profile(const Recording& recording) {
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  profile.title = "threads by creating site";
  if (!recording.processes.empty())
    profile.title +=
        fmt::format(" of {} ({})", recording.processes.front().name, recording.processes.front().pid);
  profile.sample_types = {{"created", "count"}, {"alive", "count"}, {"unjoined", "count"}};
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns);
  profile.duration_ns = static_cast<std::int64_t>(recording.end_ns() - recording.start_ns());
  for (const auto& [key, site] : sites_of(recording, texts)) {
    profile.samples.push_back({builder.stack(site.example.stack),
                               {static_cast<std::int64_t>(site.counts.created),
                                static_cast<std::int64_t>(site.counts.alive()), site.counts.unjoined},
                               {}});
  }
  return std::move(builder.profile);
}

}  // namespace dwell
