// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/go_heap.h"

#include <algorithm>
#include <functional>
#include <map>

#include "ui/call_site.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/subjects/subjects.h"

namespace dwell::top {
namespace {

std::optional<Profile> heap_profile(const Recording& recording) {
  for (const Subject& subject : subjects()) {
    if (subject.name != "go") continue;
    for (const View& view : subject.views) {
      if (view.name != "heap" || !view.there(recording)) continue;
      Result<Profile> profile = view.profile(recording, {});
      if (profile) return std::move(*profile);
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> value_named(const Profile& profile, std::string_view type) {
  for (std::size_t i = 0; i < profile.sample_types.size(); ++i)
    if (profile.sample_types[i].type == type) return i;
  return std::nullopt;
}

std::vector<ReportFrame> frames_of(const Profile& profile, const ProfileSample& sample) {
  std::vector<ReportFrame> frames;
  for (std::uint32_t location : sample.stack) {
    const ProfileLocation& place = profile.locations[location];
    for (std::size_t i = 0; i < place.lines.size(); ++i) {
      const ProfileLine& line = place.lines[i];
      std::string module = place.mapping >= 0 ? profile.mappings[static_cast<std::size_t>(place.mapping)].path : "";
      frames.push_back({line.function, line.file, line.line, module, place.address, true, i + 1 < place.lines.size()});
    }
  }
  return frames;
}

std::vector<std::string> lines_of_stack(const std::vector<ReportFrame>& frames, std::size_t most) {
  std::vector<std::string> lines;
  std::string text = stack_lines(frames, "", most, {});
  for (std::string_view line : split(text, '\n'))
    if (!line.empty()) lines.emplace_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  return lines;
}

}  // namespace

void add_go_heap(const Recording& recording, const ModelRequest& request, Model& model) {
  std::optional<Profile> profile = heap_profile(recording);
  std::optional<std::size_t> bytes = profile ? value_named(*profile, "inuse_space") : std::nullopt;
  if (!bytes) return;
  std::optional<std::size_t> objects = value_named(*profile, "inuse_objects");
  std::map<std::string, SiteRow> rows;  // by stack
  double live = 0;
  for (const ProfileSample& sample : profile->samples) {
    double held = static_cast<double>(sample.values[*bytes]);
    if (held <= 0) continue;
    std::vector<ReportFrame> frames = frames_of(*profile, sample);
    std::vector<std::string> stack = lines_of_stack(frames, request.most_frames);
    std::string whole;
    for (const std::string& line : stack) whole += line + "\n";
    SiteRow& row = rows[whole];
    live += held;
    row.live += held;
    if (objects) row.blocks = row.blocks.value_or(0) + static_cast<double>(sample.values[*objects]);
    if (row.key) continue;
    constexpr std::uint64_t kOfGo = std::uint64_t{1} << 63;  // keys of other rows are small
    row.key = std::hash<std::string>()(whole) | kOfGo;
    row.name = call_site_line(frames, 0);
    row.stack = std::move(stack);
    row.by_history = true;
  }
  for (SiteRow& row : model.rows)
    if (row.kind.empty()) row.kind = "malloc";
  for (auto& [stack, row] : rows) {
    row.live_text = bytes_text(row.live);
    model.rows.push_back(std::move(row));
  }
  model.live = live;
  model.live_rate.reset();
  model.live_text.clear();
  model.live_words = "of its Go heap";
}

}  // namespace dwell::top
