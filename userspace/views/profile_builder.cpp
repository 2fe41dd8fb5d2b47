// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/profile_builder.h"

#include <fmt/core.h>

#include <algorithm>

namespace dwell {

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kUnused = ~std::uint32_t{0};

}  // namespace

ProfileBuilder::ProfileBuilder(const Recording& recording, const FrameTexts& texts)
    : recording_(recording),
      texts_(texts),
      locations_(recording.locations.size(), kUnused),
      mappings_(recording.modules.size(), -1) {
  add_program();
}

void ProfileBuilder::entitle(const std::string& title) {
  profile.title = title;
  if (!recording_.processes.empty())
    profile.title += fmt::format(" of {} ({})", recording_.processes.front().name, recording_.processes.front().pid);
  profile.time_unix_ns = static_cast<std::int64_t>(recording_.info.start_unix_ns);
  profile.duration_ns = static_cast<std::int64_t>(recording_.end_ns() - recording_.start_ns());
}

std::vector<std::uint32_t> ProfileBuilder::stack(StackId id) {
  const CallStack& stack = recording_.stacks[static_cast<std::size_t>(id)];
  std::vector<std::uint32_t> result;
  for (std::uint32_t location : stack.locations) result.push_back(profile_location(location));
  if (result.empty()) result.push_back(artificial("[unknown]"));
  std::string because = incomplete_because(stack.end);
  if (!because.empty()) result.push_back(artificial("[incomplete: " + because + "]"));
  return result;
}

std::uint32_t ProfileBuilder::artificial(const std::string& name) {
  auto [it, added] = artificial_.try_emplace(name, static_cast<std::uint32_t>(profile.locations.size()));
  if (added) profile.locations.push_back({-1, 0, {{name, "", "", 0}}});
  return it->second;
}

// pprof names a profile after its first mapping, so the program stands before its libraries. The kernel cuts
// a process's name, so it may be only the beginning of the file's; and a program that was started through a
// link has another name than its file, which then is the one that is no library.
void ProfileBuilder::add_program() {
  auto named_like_the_process = [&](const Module& module) {
    return !recording_.processes.empty() && !recording_.processes.front().name.empty() &&
           base_name(module.path).starts_with(recording_.processes.front().name);
  };
  auto no_library = [](const Module& module) {
    return module.kind == ModuleKind::kFile && base_name(module.path).find(".so") == std::string_view::npos;
  };
  auto program = std::ranges::find_if(recording_.modules, named_like_the_process);
  if (program == recording_.modules.end()) program = std::ranges::find_if(recording_.modules, no_library);
  if (program != recording_.modules.end())
    mapping(static_cast<std::int32_t>(program - recording_.modules.begin()));
}

// Modules are laid out one behind the other, so that an address names its module and its offset in the file,
// in whichever process it was met.
std::int32_t ProfileBuilder::mapping(std::int32_t module) {
  if (module < 0 || recording_.modules[static_cast<std::size_t>(module)].kind == ModuleKind::kKernel) return -1;
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

std::uint32_t ProfileBuilder::profile_location(std::uint32_t location) {
  std::uint32_t& index = locations_[location];
  if (index != kUnused) return index;
  index = static_cast<std::uint32_t>(profile.locations.size());
  const Location& from = recording_.locations[location];
  ProfileLocation to;
  to.mapping = mapping(from.module);
  to.address =
      from.offset + (to.mapping < 0 ? 0 : profile.mappings[static_cast<std::size_t>(to.mapping)].start);
  for (ReportFrame& frame : texts_.frames(location)) to.lines.push_back(line_of(frame, location));
  if (to.mapping >= 0) note_symbols(profile.mappings[static_cast<std::size_t>(to.mapping)], to, location);
  profile.locations.push_back(std::move(to));
  return index;
}

ProfileLine ProfileBuilder::line_of(ReportFrame& frame, std::uint32_t location) {
  ProfileLine line{std::move(frame.function), "", std::move(frame.file), frame.line};
  if (location < recording_.symbols.size()) {
    for (const SymbolFrame& symbol : recording_.symbols[location].frames)
      if (symbol.function == line.function && symbol.line == line.line) line.system_name = symbol.system_name;
  }
  return line;
}

void ProfileBuilder::note_symbols(ProfileMapping& mapping, const ProfileLocation& location,
                                  std::uint32_t index) {
  if (index >= recording_.symbols.size() || recording_.symbols[index].frames.empty()) return;
  mapping.has_functions = true;
  mapping.has_inline_frames |= location.lines.size() > 1;
  for (const ProfileLine& line : location.lines) {
    mapping.has_filenames |= !line.file.empty();
    mapping.has_line_numbers |= line.line != 0;
  }
}

}  // namespace dwell
