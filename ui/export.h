// SPDX-License-Identifier: Apache-2.0
// Any Profile in any format: the one door through which `dwell export` and `dwell diff` go.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/views/profile.h"
#include "userspace/base/result.h"

namespace dwell {

enum class ExportFormat { kSvg, kFolded, kPprof, kSpeedscope };
std::optional<ExportFormat> export_format_named(
    std::string_view name);  // "svg", "folded", "pprof", "speedscope"
// By the ending of a file's name: .svg, .folded or .txt, .pb.gz or .pprof, .speedscope.json.
std::optional<ExportFormat> export_format_of_file(std::string_view path);

// The format that was asked for, else that of the file's name. pprof is refused on a terminal. Exit::kUsage.
Result<ExportFormat> choose_format(const std::string& asked, const std::string& output);

struct ExportOptions {
  std::string sample_type;  // by name, for the formats that show one; "": the profile's own default
  bool root_at_bottom = false;
  bool difference = false;
  double min_width_px = 0.1;
};

// Formats without labels get the values of the label "kind" as the root of each stack where there are
// several, because kinds of memory must not be added up. Exit::kUsage for a sample type that is not there.
Result<std::string> export_profile(const Profile& profile, ExportFormat format, const ExportOptions& options);

}  // namespace dwell
