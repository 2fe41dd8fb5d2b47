// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "userspace/views/frames.h"
#include "userspace/memory/view.h"
#include "userspace/memory/notes.h"
#include "userspace/views/profile_builder.h"
#include "userspace/memory/selection.h"
#include "userspace/memory/series_figures.h"
#include "userspace/memory/part.h"

namespace dwell {

namespace {

std::int64_t rounded(double value) { return std::llround(std::clamp(value, -9e18, 9e18)); }

void append(std::vector<std::int64_t>& values, const Recording& recording, const Sum& sum) {
  values.push_back(rounded(blocks_of(recording, sum.block_units)));
  values.push_back(static_cast<std::int64_t>(sum.byte_units));
}

std::vector<std::int64_t> values_of(MemoryView view, const Recording& recording, const SeriesFigures& figures) {
  std::vector<std::int64_t> values;
  switch (view) {
    case MemoryView::kRetained: append(values, recording, figures.retained); break;
    case MemoryView::kGrowing: {
      Sum grown = figures.retained;
      grown.subtract(figures.before);
      append(values, recording, grown);
      break;
    }
    case MemoryView::kAllocated: append(values, recording, figures.allocated); break;
    case MemoryView::kTemporary: append(values, recording, figures.temporary); break;
    case MemoryView::kPeak: append(values, recording, figures.peak); break;
    case MemoryView::kAll:
      append(values, recording, figures.allocated);
      append(values, recording, figures.retained);
      break;
  }
  return values;
}

std::vector<ProfileValueType> types_of(MemoryView view) {
  std::vector<ProfileValueType> in_use = {{"inuse_objects", "count"}, {"inuse_space", "bytes"}};
  std::vector<ProfileValueType> allocated = {{"alloc_objects", "count"}, {"alloc_space", "bytes"}};
  switch (view) {
    case MemoryView::kAllocated: return allocated;
    case MemoryView::kTemporary: return {{"temporary_objects", "count"}, {"temporary_space", "bytes"}};
    case MemoryView::kAll: allocated.insert(allocated.end(), in_use.begin(), in_use.end()); return allocated;
    default: return in_use;
  }
}

std::string title_of(const Recording& recording, MemoryView view, MemoryKind kind) {
  std::string what = view == MemoryView::kAll ? "memory" : fmt::format("{} memory", name_of(view));
  what += fmt::format(" ({})", name_of(kind));
  if (recording.processes.empty()) return what;
  const ProcessInfo& process = recording.processes.front();
  return fmt::format("{} of {} ({})", what, process.name, process.pid);
}

Result<std::vector<SeriesFigures>> figures_for(const Recording& recording, const TickRange& range, MemoryView view,
                                               const MemoryFilter& filter) {
  if (!filter.thread) return range_figures(recording, range, filter.temporary_ns, false).by_series;
  if (view != MemoryView::kRetained) {
    return Error{fmt::format("of a single thread only the retained memory is known, not the view '{}'", name_of(view)),
                 "leave out --thread, or use --view retained", Exit::kUsage};
  }
  return figures_of_thread(recording, range, *filter.thread);
}

}  // namespace

MemoryKind usual_kind(const Recording& recording) {
  MemoryKind kind = MemoryKind::kReserved;
  for (const Series& series : memory_of(recording).series) kind = std::min(kind, series.kind);
  return memory_of(recording).series.empty() ? MemoryKind::kHeap : kind;
}

Result<Profile> memory_profile(const Recording& recording, MemoryView view, const MemoryFilter& given) {
  MemoryFilter filter = given;
  if (!filter.kind) filter.kind = usual_kind(recording);
  Result<TickRange> range = tick_range(recording, filter);
  if (!range) return range.error();
  FrameTexts texts(recording);
  Result<Selection> selection = select_series(recording, texts, filter);
  if (!selection) return selection.error();
  Result<std::vector<SeriesFigures>> figures = figures_for(recording, *range, view, filter);
  if (!figures) return figures.error();

  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  profile.title = title_of(recording, view, *filter.kind);
  profile.sample_types = types_of(view);
  profile.allocators_are_leaves = true;
  profile.default_sample_type = profile.sample_types.size() - 1;
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns + (range->start_ns - recording.start_ns()));
  profile.duration_ns = static_cast<std::int64_t>(range->end_ns - range->start_ns);
  if (recording.sampled()) {
    profile.period_type = {"space", "bytes"};
    profile.period = static_cast<std::int64_t>(recording.info.sample_period_bytes);
  }
  profile.comments = notes_of(recording, *range);
  if (!recording.ended) profile.comments.insert(profile.comments.begin(), "the recording was cut off");
  const std::vector<Series>& all = memory_of(recording).series;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!selection->chosen[i]) continue;
    std::vector<std::int64_t> values = values_of(view, recording, (*figures)[i]);
    if (std::ranges::all_of(values, [](std::int64_t value) { return value == 0; })) continue;
    std::uint64_t size = static_cast<std::uint64_t>(std::abs(static_cast<double>(values.back())));
    if (size < filter.min_bytes) continue;
    const Series& series = all[i];
    ProfileSample sample{builder.stack(series.stack), std::move(values), {}};
    if (recording.processes.size() > 1 && !filter.process)
      sample.labels.push_back({"pid", "", recording.processes[series.process].pid, ""});
    profile.samples.push_back(std::move(sample));
  }
  return std::move(builder.profile);
}

}  // namespace dwell
