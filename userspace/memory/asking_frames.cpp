// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/asking_frames.h"

namespace dwell {
namespace {

constexpr std::size_t kInnerFrames = 16;

}  // namespace

const std::vector<ReportFrame>& AskingFrames::inner_frames(const CallStack& stack) {
  inner_.clear();
  for (std::uint32_t location : stack.locations) {
    std::vector<ReportFrame>& known = by_reading_[texts_.reading(location)];
    if (known.empty()) known = texts_.frames(location);
    inner_.insert(inner_.end(), known.begin(), known.end());
    if (inner_.size() >= kInnerFrames) break;
  }
  return inner_;
}

void AskingFrames::learn(const CallStack& stack) { wrappers_.learn(inner_frames(stack)); }

std::size_t AskingFrames::before_site(const CallStack& stack) {
  const std::vector<ReportFrame>& frames = inner_frames(stack);
  return frames.empty() ? 0 : wrappers_.site_frame(frames);
}

ReportFrame AskingFrames::site(const CallStack& stack) {
  const std::vector<ReportFrame>& frames = inner_frames(stack);
  return frames[wrappers_.site_frame(frames)];
}

}  // namespace dwell
