// SPDX-License-Identifier: Apache-2.0
// PagePaths: the frames and stacks of an HTML page's call sites, as columns.
//
// Stacks that begin alike share their frames: each path says how many frames of the one before it it keeps,
// root first, and which follow. Paths are sorted, so that this is all that a tree of calls needs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ui/json_parts.h"
#include "ui/number_columns.h"
#include "userspace/views/report_stack.h"
#include "userspace/views/source_lines.h"

namespace dwell {

// Why an excerpt may not be what ran: of a module's path and the time when the file was last changed; "":
// nothing to say.
using SourceRemark = std::function<std::string(const std::string& module, std::uint64_t modified_unix_ns)>;

class PagePaths {
 public:
  using Path = std::vector<std::uint32_t>;  // frames, root first

  PagePaths() { text_number(""); }

  std::uint32_t text_number(const std::string& text);  // 0: ""
  std::uint32_t frame_number(const ReportFrame& frame);
  // Of frames leaf first; without any, of one that is unknown.
  Path path_of(const std::vector<ReportFrame>& stack);
  Path whole(Path leaf_first);  // the same of numbers
  // Of the next call site; `inner`: how many of its frames, from the leaf on, stand before the one that asks.
  void add(Path path, std::size_t inner);

  // Lines around the frames of the call sites that were added, those that ask for memory first, as far as
  // there is room. Adds "sources", and the column frame_source: 0, or one more than the number of an excerpt.
  void write_sources(SourceLines& sources, const SourceRemark& remark, Json& json,
                     NumberColumns& columns) const;

  // Sorts the paths: nothing may be added afterwards. Adds "texts", and the columns frame_*, path_*,
  // site_path and site_inner.
  void write(Json& json, NumberColumns& columns);

 private:
  struct Frame {
    std::uint32_t function, short_name, file, line, module, flags;
    std::uint32_t group;  // equal for frames that differ by their line alone
  };

  std::vector<std::uint32_t> frames_by_weight() const;
  std::vector<std::uint32_t> sort_paths();
  void write_paths(NumberColumns& columns) const;
  void write_frames(NumberColumns& columns) const;

  absl::flat_hash_map<std::string, std::uint32_t> text_numbers_, frame_numbers_, group_numbers_;
  std::vector<std::string> names_;
  std::vector<Frame> frames_;
  absl::flat_hash_map<std::uint32_t, std::string> files_,
      modules_;                     // by their texts: as they are in the recording
  std::vector<std::size_t> inner_;  // by site
  std::vector<Path> by_site_;
  std::vector<Path> paths_;  // sorted, each once
};

}  // namespace dwell
