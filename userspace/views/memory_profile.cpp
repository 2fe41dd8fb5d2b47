// SPDX-License-Identifier: Apache-2.0
#include <absl/container/flat_hash_map.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "userspace/views/frames.h"
#include "userspace/views/memory_view.h"
#include "userspace/views/notes.h"
#include "userspace/views/selection.h"
#include "userspace/views/series_figures.h"

namespace dwell {

namespace {

constexpr std::uint64_t kPage = 4096;

// Puts locations and mappings of a recording into a profile as they are used.
class ProfileBuilder {
 public:
  ProfileBuilder(const Recording& recording, const FrameTexts& texts)
      : recording_(recording), texts_(texts), locations_(recording.locations.size(), kUnused),
        mappings_(recording.modules.size(), -1) {
    add_program();
  }

  std::vector<std::uint32_t> stack(StackId id) {
    const CallStack& stack = recording_.stacks[static_cast<std::size_t>(id)];
    std::vector<std::uint32_t> result;
    for (std::uint32_t location : stack.locations) result.push_back(profile_location(location));
    if (result.empty()) result.push_back(artificial("[unknown]"));
    std::string because = incomplete_because(stack.end);
    if (!because.empty()) result.push_back(artificial("[incomplete: " + because + "]"));
    return result;
  }

  Profile profile;

 private:
  static constexpr std::uint32_t kUnused = ~std::uint32_t{0};

  std::uint32_t artificial(const std::string& name) {
    auto [it, added] = artificial_.try_emplace(name, static_cast<std::uint32_t>(profile.locations.size()));
    if (added) profile.locations.push_back({-1, 0, {{name, "", "", 0}}});
    return it->second;
  }

  // pprof names a profile after its first mapping, so the program stands before its libraries. The kernel cuts
  // a process's name, so it may be only the beginning of the file's; and a program that was started through a
  // link has another name than its file, which then is the one that is no library.
  void add_program() {
    auto named_like_the_process = [&](const Module& module) {
      return !recording_.processes.empty() && !recording_.processes.front().name.empty() &&
             base_name(module.path).starts_with(recording_.processes.front().name);
    };
    auto no_library = [](const Module& module) {
      return module.kind == ModuleKind::kFile && base_name(module.path).find(".so") == std::string_view::npos;
    };
    auto program = std::ranges::find_if(recording_.modules, named_like_the_process);
    if (program == recording_.modules.end()) program = std::ranges::find_if(recording_.modules, no_library);
    if (program != recording_.modules.end()) mapping(static_cast<std::int32_t>(program - recording_.modules.begin()));
  }

  // Modules are laid out one behind the other, so that an address names its module and its offset in the file,
  // in whichever process it was met.
  std::int32_t mapping(std::int32_t module) {
    if (module < 0) return -1;
    std::int32_t& index = mappings_[static_cast<std::size_t>(module)];
    if (index >= 0) return index;
    const Module& from = recording_.modules[static_cast<std::size_t>(module)];
    index = static_cast<std::int32_t>(profile.mappings.size());
    ProfileMapping to;
    to.path = from.path;
    to.build_id = from.build_id;
    to.start = next_start_;
    std::uint64_t size = std::clamp<std::uint64_t>(from.size, kPage, std::uint64_t{1} << 40);
    to.limit = to.start + (size + kPage - 1) / kPage * kPage;
    next_start_ = to.limit + kPage;
    profile.mappings.push_back(std::move(to));
    return index;
  }

  std::uint32_t profile_location(std::uint32_t location) {
    std::uint32_t& index = locations_[location];
    if (index != kUnused) return index;
    index = static_cast<std::uint32_t>(profile.locations.size());
    const Location& from = recording_.locations[location];
    ProfileLocation to;
    to.mapping = mapping(from.module);
    to.address = from.offset + (to.mapping < 0 ? 0 : profile.mappings[static_cast<std::size_t>(to.mapping)].start);
    for (ReportFrame& frame : texts_.frames(location)) to.lines.push_back(line_of(frame, location));
    if (to.mapping >= 0) note_symbols(profile.mappings[static_cast<std::size_t>(to.mapping)], to, location);
    profile.locations.push_back(std::move(to));
    return index;
  }

  ProfileLine line_of(ReportFrame& frame, std::uint32_t location) {
    ProfileLine line{std::move(frame.function), "", std::move(frame.file), frame.line};
    if (location < recording_.symbols.size()) {
      for (const SymbolFrame& symbol : recording_.symbols[location].frames)
        if (symbol.function == line.function && symbol.line == line.line) line.system_name = symbol.system_name;
    }
    return line;
  }

  void note_symbols(ProfileMapping& mapping, const ProfileLocation& location, std::uint32_t index) {
    if (index >= recording_.symbols.size() || recording_.symbols[index].frames.empty()) return;
    mapping.has_functions = true;
    mapping.has_inline_frames |= location.lines.size() > 1;
    for (const ProfileLine& line : location.lines) {
      mapping.has_filenames |= !line.file.empty();
      mapping.has_line_numbers |= line.line != 0;
    }
  }

  const Recording& recording_;
  const FrameTexts& texts_;
  std::vector<std::uint32_t> locations_;
  std::vector<std::int32_t> mappings_;
  absl::flat_hash_map<std::string, std::uint32_t> artificial_;
  std::uint64_t next_start_ = 0x10000;
};

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

std::string title_of(const Recording& recording, MemoryView view) {
  std::string what = view == MemoryView::kAll ? "memory" : fmt::format("{} memory", name_of(view));
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

Result<Profile> memory_profile(const Recording& recording, MemoryView view, const MemoryFilter& filter) {
  Result<TickRange> range = tick_range(recording, filter);
  if (!range) return range.error();
  FrameTexts texts(recording);
  Result<Selection> selection = select_series(recording, texts, filter);
  if (!selection) return selection.error();
  Result<std::vector<SeriesFigures>> figures = figures_for(recording, *range, view, filter);
  if (!figures) return figures.error();

  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  profile.title = title_of(recording, view);
  profile.sample_types = types_of(view);
  profile.default_sample_type = profile.sample_types.size() - 1;
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns + (range->start_ns - recording.start_ns()));
  profile.duration_ns = static_cast<std::int64_t>(range->end_ns - range->start_ns);
  if (recording.sampled()) {
    profile.period_type = {"space", "bytes"};
    profile.period = static_cast<std::int64_t>(recording.info.sample_period_bytes);
  }
  profile.comments = notes_of(recording, *range);
  if (!recording.ended) profile.comments.insert(profile.comments.begin(), "the recording was cut off");
  for (std::size_t i = 0; i < recording.series.size(); ++i) {
    if (!selection->chosen[i]) continue;
    std::vector<std::int64_t> values = values_of(view, recording, (*figures)[i]);
    if (std::ranges::all_of(values, [](std::int64_t value) { return value == 0; })) continue;
    std::uint64_t size = static_cast<std::uint64_t>(std::abs(static_cast<double>(values.back())));
    if (size < filter.min_bytes) continue;
    const Series& series = recording.series[i];
    ProfileSample sample{builder.stack(series.stack), std::move(values), {}};
    if (!filter.kind) sample.labels.push_back({"kind", std::string(name_of(series.kind)), 0, ""});
    if (recording.processes.size() > 1 && !filter.process)
      sample.labels.push_back({"pid", "", recording.processes[series.process].pid, ""});
    profile.samples.push_back(std::move(sample));
  }
  return std::move(builder.profile);
}

}  // namespace dwell
