// SPDX-License-Identifier: Apache-2.0
// PageSites: the call sites of a report and their stacks, as columns.
//
// Stacks that begin alike share their frames: each path says how many frames of the one before it it keeps, root first, and
// which follow. Paths are sorted, so that this is all that a tree of calls needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ui/number_columns.h"
#include "userspace/memory/report.h"
#include "userspace/memory/sites.h"

namespace dwell {

class PageSites {
 public:
  PageSites(const Recording& recording, const FrameTexts& texts, const SiteTable& sites, const MemoryReport& report);

  void write(Json& json, NumberColumns& columns) const;

 private:
  struct Frame {
    std::uint32_t function, short_name, file, line, module, flags;
    std::uint32_t group;  // equal for frames that differ by their line alone
  };
  using Path = std::vector<std::uint32_t>;  // frames, root first

  Path path_of(const Recording& recording, const FrameTexts& texts, std::uint32_t series);
  std::uint32_t frame_number(const ReportFrame& frame);
  std::uint32_t text_number(const std::string& text);
  void sort_paths(std::vector<Path> by_site);
  void write_paths(NumberColumns& columns) const;
  void write_frames(NumberColumns& columns) const;
  void write_figures(NumberColumns& columns) const;

  const MemoryReport& report_;
  double block_units_ = 1;
  absl::flat_hash_map<std::string, std::uint32_t> text_numbers_, frame_numbers_, group_numbers_;
  std::vector<std::string> names_;
  std::vector<Frame> frames_;
  std::vector<std::vector<std::uint32_t>> by_reading_;  // frames, innermost first; empty: not met yet
  std::vector<Path> paths_;                             // sorted, each once
  std::vector<std::uint32_t> path_of_site_;             // by index in the report
  std::vector<std::uint32_t> incomplete_;               // the same: a text, 0: complete
  std::vector<std::uint32_t> held_, holding_;           // the same: what holds it, in short and as a sentence; 0: not known
};

}  // namespace dwell
