// SPDX-License-Identifier: Apache-2.0
// The line that `dwell record` keeps on a terminal while it records. A pipe or a file gets none of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ui/text_style.h"

namespace dwell {

struct LiveFigures {
  std::uint64_t elapsed_ns = 0;
  double live_bytes = 0;         // allocated since the recording began, and still there
  std::optional<double> growth_per_minute;  // none: too early to tell
  double events_per_second = 0;
  std::optional<double> cost_percent;  // of the target's CPU time
  std::uint64_t losses = 0;
  bool partial = false;  // not all is seen that should be
  std::string activity;  // instead of the figures while there are none: "attaching 23 probes"
};

// Fits the width: what matters least goes first.
std::string live_line_text(const LiveFigures& figures, const TextStyle& style);

class LiveLine {
 public:
  LiveLine(int fd, TextStyle style) : fd_(fd), style_(style) {}
  explicit LiveLine(int fd) : LiveLine(fd, text_style_of(fd)) {}
  ~LiveLine() { clear(); }
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  void show(const LiveFigures& figures);
  // Before anything else is written to the terminal, and at the end.
  void clear();

 private:
  int fd_;
  TextStyle style_;
  bool shown_ = false;
};

}  // namespace dwell
