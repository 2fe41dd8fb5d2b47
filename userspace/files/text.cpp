// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/files/findings.h"
#include "userspace/files/groups.h"
#include "userspace/record/findings.h"

namespace dwell::files {
namespace {

class FilesText {
 public:
  FilesText(const FilesLook& look, const FilesTextOptions& options) : look_(look), options_(options), style_(options.style) {}

  std::string write() {
    write_header();
    write_findings();
    write_table();
    write_ports();
    for (const std::string& note : look_.notes) line(Paint::kWarning, "Note: " + printable(note));
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }

  void write_header() {
    line(Paint::kStrong, fmt::format("{} ({})", printable(look_.process.name), look_.process.pid));
    if (!look_.process.command_line.empty()) line(Paint::kDim, "  " + printable(look_.process.command_line));
    line(Paint::kDim, fmt::format("  one look, {}; the process was neither stopped nor changed", human_duration(look_.took_ns)));
    out_ += "\n";
    std::string of = look_.limit ? fmt::format(" of {} ({})", count_text(static_cast<double>(look_.limit)),
                                               percent(static_cast<double>(look_.files.size()), static_cast<double>(look_.limit)))
                                 : ", without a limit";
    std::string kinds = count_by_kind(look_);
    line(Paint::kStrong, fmt::format("{} open{}{}", counted(look_.files.size(), "descriptor"), of, kinds.empty() ? "." : ": " + printable(kinds)));
  }

  void write_findings() {
    std::vector<Finding> findings = findings_of(look_).findings;
    if (!findings.empty()) out_ += "\n";
    for (const Finding& finding : findings) {
      line(Paint::kWarning, printable(finding.headline));
      for (const std::string& evidence : finding.evidence) line(Paint::kPlain, "  " + printable(evidence));
    }
  }

  static std::string or_dash(std::uint64_t bytes) { return bytes ? bytes_text(static_cast<double>(bytes)) : "-"; }

  static std::string queue_text(const FileGroup& group, std::uint64_t value, const char* noun) {
    bool known = value || std::string_view(noun) == "waiting";
    if (group.listens) return known ? fmt::format("{} {}", count_text(static_cast<double>(value)), noun) : "-";
    return or_dash(value);
  }

  void write_table() {
    std::vector<FileGroup> groups = options_.each ? each_alone(look_) : group_files(look_);
    if (groups.empty()) return;
    out_ += "\n";
    TextTable table({{"open", 0}, {"descriptors", 4}, {"kind", 0}, {"state", 0}, {"unread", 2}, {"unsent", 2}, {"size", 1}, {"what", 0}});
    std::size_t rows = options_.each ? groups.size() : std::min(options_.rows, groups.size());
    for (std::size_t i = 0; i < rows; ++i) {
      const FileGroup& group = groups[i];
      std::string what = group.what;
      if (group.quiet_ns) what += fmt::format("; oldest closed there {} ago or earlier", human_duration(*group.quiet_ns));
      table.add({{count_text(static_cast<double>(group.files.size()))},
                 {descriptor_ranges(look_, group.files)},
                 {printable(group.kind)},
                 {group.state.empty() ? "-" : group.state},
                 {queue_text(group, group.unread, "waiting")},
                 {queue_text(group, group.unsent, "may wait")},
                 {or_dash(group.size)},
                 {printable(what)}});
    }
    out_ += table.write(style_);
    if (rows == groups.size()) return;
    std::size_t left = 0;
    for (std::size_t i = rows; i < groups.size(); ++i) left += groups[i].files.size();
    line(Paint::kDim, fmt::format("{} in {} not shown (-n)", counted(left, "more descriptor"), counted(groups.size() - rows, "row")));
  }

  // Only where it begins to matter.
  void write_ports() {
    if (look_.ports.empty() || !look_.ephemeral_ports || look_.ports[0].ports * 4 < look_.ephemeral_ports) return;
    const PortUse& most = look_.ports[0];
    line(Paint::kPlain, fmt::format("Ephemeral ports: {} of {} are in use from {} to {}", count_text(static_cast<double>(most.ports)),
                                    count_text(static_cast<double>(look_.ephemeral_ports)), printable(most.from), printable(most.to)));
  }

  const FilesLook& look_;
  const FilesTextOptions& options_;
  const TextStyle& style_;
  std::string out_;
};

}  // namespace

std::string files_text(const FilesLook& look, const FilesTextOptions& options) { return FilesText(look, options).write(); }

}  // namespace dwell::files
