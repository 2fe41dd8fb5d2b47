// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/profiles.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>

#include "userspace/go/heap/profile.h"
#include "userspace/go/record/report.h"
#include "userspace/views/profile_builder.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

Error missing(const std::string& what, const std::string& hint) {
  return {"export: this recording has no " + what, hint, Exit::kUsage};
}

void describe(const Recording& recording, const std::string& what, ProcessSlot slot, std::uint64_t time_ns,
              Profile& profile) {
  const ProcessInfo& process = recording.processes[slot];
  profile.title = fmt::format("{} of {} ({})", what, process.name, process.pid);
  std::uint64_t age_ns = time_ns - std::min(time_ns, recording.start_ns());
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns + age_ns);
}

// Of the process that was looked at last, as of the last look.
GoCounters counters_of(const Recording& recording, GoProfileKind kind) {
  ProcessSlot process = go_of(recording).looks.empty() ? 0 : go_of(recording).looks.back().process;
  return counters_at(recording, kind, process, ~std::uint64_t{0});
}

std::int64_t as_signed(double value) { return static_cast<std::int64_t>(std::clamp(value, -9e18, 9e18)); }

// Where the runtime samples locks, what it counted stands for more.
std::vector<std::int64_t> contention_values(const GoProfileLook& look, const GoBucketRow& row) {
  double scale = static_cast<double>(std::max<std::uint64_t>(look.rate, 1));
  double ns = look.ticks_per_second
                  ? static_cast<double>(row.values[1]) / (static_cast<double>(look.ticks_per_second) / 1e9)
                  : 0;
  return {as_signed(static_cast<double>(row.values[0]) * scale), as_signed(ns * scale)};
}

// Go's own profiles leave out where all goroutines begin.
std::vector<std::uint32_t> stack_of(ProfileBuilder& builder, const GoStack& from) {
  std::vector<std::uint32_t> stack = builder.stack(from.stack);
  if (stack.size() > 1 && builder.profile.locations[stack.back()].lines.back().function == "runtime.goexit")
    stack.pop_back();
  return stack;
}

}  // namespace

Result<Profile> goroutine_profile(const Recording& recording) {
  if (go_of(recording).looks.empty())
    return missing("goroutines", "record a Go program, or keep one look: dwell go PID -o FILE");
  const GoLook& look = go_of(recording).looks.back();
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  describe(recording, "goroutines", look.process, look.time_ns, profile);
  profile.sample_types = {{"goroutine", "count"}};
  profile.period_type = {"goroutine", "count"};
  profile.period = 1;
  for (const GoGroup& group : look.groups) {
    if (group.of_runtime) continue;
    std::vector<ProfileLabel> common = {{"state", group.state, 0, ""}};
    if (group.stuck)
      common.push_back({"never wakes", look.stuck && look.stuck->proved ? "proved" : "very likely", 0, ""});
    std::uint64_t rest = group.count;
    std::vector<std::uint32_t> stack = stack_of(builder, group.stack);
    for (const auto& [labels, count] : group.labels) {
      std::vector<ProfileLabel> all = common;
      for (const auto& [key, value] : labels) all.push_back({key, value, 0, ""});
      profile.samples.push_back({stack, {static_cast<std::int64_t>(count)}, std::move(all)});
      rest -= std::min(rest, count);
    }
    if (rest) profile.samples.push_back({stack, {static_cast<std::int64_t>(rest)}, common});
  }
  return std::move(builder.profile);
}

Result<Profile> go_heap_profile(const Recording& recording) {
  GoCounters counters = counters_of(recording, GoProfileKind::kHeap);
  if (!counters.last)
    return missing("heap profile of a Go program",
                   "with one look: dwell go PID --heap -o FILE");
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  describe(recording, "Go heap", counters.last->process, counters.last->time_ns, profile);
  profile.sample_types = {{"alloc_objects", "count"},
                          {"alloc_space", "bytes"},
                          {"inuse_objects", "count"},
                          {"inuse_space", "bytes"}};
  profile.default_sample_type = 3;
  profile.period_type = {"space", "bytes"};
  profile.period = static_cast<std::int64_t>(counters.last->rate);
  for (const auto& [bucket, row] : counters.rows) {
    HeapCounts scaled =
        scale_heap_counts({row.values[0], row.values[1], row.values[2], row.values[3]}, counters.last->rate);
    if (scaled.allocated_objects == 0) continue;
    std::int64_t size = row.values[2] > 0 ? row.values[3] / row.values[2] : 0;
    profile.samples.push_back(
        {stack_of(builder, go_of(recording).buckets[bucket].stack),
         {scaled.allocated_objects, scaled.allocated_bytes, scaled.in_use_objects, scaled.in_use_bytes},
         {{"bytes", "", size, "bytes"}}});
  }
  return std::move(builder.profile);
}

Result<Profile> go_contention_profile(const Recording& recording, GoProfileKind kind) {
  GoCounters counters = counters_of(recording, kind);
  bool locks = kind == GoProfileKind::kMutex;
  if (!counters.last || counters.rows.empty())
    return missing(locks ? "mutex profile of a Go program" : "block profile of a Go program",
                   locks ? "the program must have called runtime.SetMutexProfileFraction"
                         : "the program must have called runtime.SetBlockProfileRate");
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  describe(recording, locks ? "waits for Go locks" : "waits of goroutines", counters.last->process,
           counters.last->time_ns, profile);
  profile.sample_types = {{"contentions", "count"}, {"delay", "nanoseconds"}};
  profile.default_sample_type = 1;
  profile.period_type = {"contentions", "count"};
  profile.period = 1;
  for (const auto& [bucket, row] : counters.rows) {
    if (row.values[0] == 0 && row.values[1] == 0) continue;
    profile.samples.push_back(
        {stack_of(builder, go_of(recording).buckets[bucket].stack), contention_values(*counters.last, row), {}});
  }
  return std::move(builder.profile);
}

}  // namespace dwell
