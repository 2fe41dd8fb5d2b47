// SPDX-License-Identifier: Apache-2.0
#include "ui/export.h"

#include <unistd.h>

#include <map>

#include "ui/flame_graph.h"
#include "ui/folded.h"
#include "ui/pprof.h"
#include "ui/speedscope.h"

namespace dwell {
namespace {

constexpr std::string_view kRootLabel = "kind";

const std::string& root_label(const ProfileSample& sample) {
  static const std::string kNone;
  for (const ProfileLabel& label : sample.labels) {
    if (label.key == kRootLabel) return label.text;
  }
  return kNone;
}

bool has_several_roots(const Profile& profile) {
  for (const ProfileSample& sample : profile.samples) {
    if (root_label(sample) != root_label(profile.samples.front())) return true;
  }
  return false;
}

Profile with_label_roots(Profile profile) {
  std::map<std::string, std::uint32_t> roots;
  for (ProfileSample& sample : profile.samples) {
    const std::string& label = root_label(sample);
    auto [at, is_new] = roots.try_emplace(label, static_cast<std::uint32_t>(profile.locations.size()));
    if (is_new) {
      ProfileLocation root;
      root.lines.push_back({"[" + (label.empty() ? "other" : label) + "]", "", "", 0});
      profile.locations.push_back(std::move(root));
    }
    sample.stack.push_back(at->second);
  }
  return profile;
}

Result<std::size_t> sample_type_named(const Profile& profile, const std::string& name) {
  if (profile.sample_types.empty()) return Error{"export the profile: it has no sample types", {}};
  if (name.empty()) return profile.default_sample_type;
  std::string known;
  for (std::size_t i = 0; i < profile.sample_types.size(); ++i) {
    if (profile.sample_types[i].type == name) return i;
    known += (known.empty() ? "" : ", ") + profile.sample_types[i].type;
  }
  return Error{"export the profile: it has no sample type '" + name + "'", "choose one of: " + known,
               Exit::kUsage};
}

}  // namespace

std::optional<ExportFormat> export_format_named(std::string_view name) {
  if (name == "svg") return ExportFormat::kSvg;
  if (name == "folded") return ExportFormat::kFolded;
  if (name == "pprof") return ExportFormat::kPprof;
  if (name == "speedscope") return ExportFormat::kSpeedscope;
  return std::nullopt;
}

std::optional<ExportFormat> export_format_of_file(std::string_view path) {
  if (path.ends_with(".svg")) return ExportFormat::kSvg;
  if (path.ends_with(".folded") || path.ends_with(".txt")) return ExportFormat::kFolded;
  if (path.ends_with(".pb.gz") || path.ends_with(".pprof")) return ExportFormat::kPprof;
  if (path.ends_with(".speedscope.json")) return ExportFormat::kSpeedscope;
  return std::nullopt;
}

Result<std::string> export_profile(const Profile& profile, ExportFormat format,
                                   const ExportOptions& options) {
  if (format == ExportFormat::kPprof) return pprof(profile);
  Result<std::size_t> type = sample_type_named(profile, options.sample_type);
  if (!type) return type.error();
  if (has_several_roots(profile)) {
    Profile rooted = with_label_roots(profile);
    for (ProfileSample& sample : rooted.samples) sample.labels.clear();
    return export_profile(rooted, format, options);
  }
  if (format == ExportFormat::kFolded) return folded(profile, *type);
  if (format == ExportFormat::kSpeedscope) return speedscope(profile);
  return flame_graph(profile, {.sample_type = *type,
                               .root_at_bottom = options.root_at_bottom,
                               .difference = options.difference,
                               .min_width_px = options.min_width_px});
}

Result<ExportFormat> choose_format(const std::string& asked, const std::string& output) {
  std::optional<ExportFormat> format = asked.empty() ? export_format_of_file(output) : export_format_named(asked);
  if (!format) {
    return Error{"which format?", "give -f svg, folded, pprof or speedscope, or -o FILE with such an ending", Exit::kUsage};
  }
  bool to_terminal = (output.empty() || output == "-") && ::isatty(STDOUT_FILENO);
  if (*format == ExportFormat::kPprof && to_terminal)
    return Error{"write pprof to the terminal: it is a compressed binary", "name a file: -o profile.pb.gz", Exit::kUsage};
  return *format;
}

}  // namespace dwell
