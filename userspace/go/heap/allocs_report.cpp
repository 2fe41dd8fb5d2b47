// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/allocs_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"
#include "userspace/go/part.h"
#include "userspace/go/record/leading_frames.h"

namespace dwell {
namespace {

// The allocator itself stands at the leaf.
std::size_t frames_of_runtime(const std::vector<ReportFrame>& stack) {
  auto caller = std::ranges::find_if(
      stack, [](const ReportFrame& frame) { return !frame.function.starts_with("runtime."); });
  return caller == stack.end() ? 0 : static_cast<std::size_t>(caller - stack.begin());
}

void add(GoAllocRow& to, const GoAllocFacts& facts) {
  to.samples += facts.samples;
  to.live_samples += facts.live_samples;
  to.alloc_objects += static_cast<double>(facts.alloc_objects);
  to.alloc_bytes += static_cast<double>(facts.alloc_bytes);
  to.alloc_bytes_error = std::hypot(to.alloc_bytes_error, static_cast<double>(facts.alloc_bytes_error));
  to.inuse_objects += static_cast<double>(facts.inuse_objects);
  to.inuse_bytes += static_cast<double>(facts.inuse_bytes);
  to.inuse_bytes_error = std::hypot(to.inuse_bytes_error, static_cast<double>(facts.inuse_bytes_error));
}

}  // namespace

GoAllocsReport go_allocs_report(RecordingRef from) {
  const Recording& recording = *from;
  const GoAllocs& allocs = *go_of(recording).allocs;
  GoAllocsReport report;
  report.duration_ns = allocs.duration_ns;
  report.watched_ns = allocs.watched_ns;
  report.windows = allocs.windows;
  report.lost = allocs.lost;
  report.collections = allocs.collections;
  report.missed = allocs.missed;
  report.notes = allocs.notes;
  auto texts = std::make_shared<const FrameTexts>(from);
  std::map<std::vector<std::uint32_t>, GoAllocRow> rows;
  for (const GoAllocFacts& facts : allocs.sites) {
    const CallStack& stack = recording.stacks[static_cast<std::size_t>(facts.stack)];
    std::vector<std::uint32_t> key;
    std::vector<ReportFrame> frames;
    bool of_runtime = true;
    for (std::uint32_t location : stack.locations) {
      std::vector<ReportFrame> here = texts->frames(location);
      of_runtime = of_runtime && here.back().function.starts_with("runtime.");
      if (!of_runtime) key.push_back(texts->reading(location));
      std::ranges::move(here, std::back_inserter(frames));
    }
    auto [at, fresh] = rows.try_emplace(std::move(key));
    GoAllocRow& row = at->second;
    if (fresh || row.stack.empty()) {
      row.stack = {texts, facts.stack, frames_of_runtime(frames)};
      if (!stack.locations.empty()) row.incomplete = incomplete_because(stack.end);
    }
    add(row, facts);
    add(report.total, facts);
  }
  for (auto& [key, row] : rows) report.rows.push_back(std::move(row));
  std::ranges::stable_sort(report.rows, std::greater<>(),
                           [](const GoAllocRow& row) { return std::pair(row.inuse_bytes, row.alloc_bytes); });
  return report;
}

Profile go_allocs_profile(const Recording& recording) {
  const GoAllocs& allocs = *go_of(recording).allocs;
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  profile.title = "sampled heap";
  profile.sample_types = {{"alloc_objects", "count"},
                          {"alloc_space", "bytes"},
                          {"inuse_objects", "count"},
                          {"inuse_space", "bytes"}};
  profile.default_sample_type = 3;
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns);
  profile.duration_ns = static_cast<std::int64_t>(allocs.duration_ns);
  for (const GoAllocFacts& site : allocs.sites) {
    std::vector<std::uint32_t> stack = builder.stack(site.stack);
    std::size_t leading = leading_of_allocator(texts, recording.stacks[static_cast<std::size_t>(site.stack)]);
    stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(std::min(leading, stack.size())));
    profile.samples.push_back(
        {std::move(stack),
         {static_cast<std::int64_t>(site.alloc_objects), static_cast<std::int64_t>(site.alloc_bytes),
          static_cast<std::int64_t>(site.inuse_objects), static_cast<std::int64_t>(site.inuse_bytes)},
         {}});
  }
  return std::move(builder.profile);
}

}  // namespace dwell
