// SPDX-License-Identifier: Apache-2.0
// AskingFrames: which frame of each stack of a recording is its call site: no allocator, no library, no
// wrapper (ui/wrappers.h).
#pragma once

#include <cstddef>
#include <vector>

#include "ui/wrappers.h"
#include "userspace/recording/model.h"
#include "userspace/views/frames.h"

namespace dwell {

class AskingFrames {
 public:
  // `texts` lives longer.
  explicit AskingFrames(const FrameTexts& texts) : texts_(texts), by_reading_(texts.reading_count()) {}

  void learn(const CallStack& stack);  // Wrappers::kMostLearnt of them are enough
  // How many of a stack's frames, leaf first, stand before its call site.
  std::size_t before_site(const CallStack& stack);
  ReportFrame site(const CallStack& stack);  // of a stack that has frames

 private:
  // The innermost frames: further out no wrapper is looked for.
  const std::vector<ReportFrame>& inner_frames(const CallStack& stack);

  const FrameTexts& texts_;
  std::vector<std::vector<ReportFrame>> by_reading_;  // empty: not met yet
  std::vector<ReportFrame> inner_;
  Wrappers wrappers_;
};

}  // namespace dwell
