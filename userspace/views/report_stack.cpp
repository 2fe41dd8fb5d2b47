// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/report_stack.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

namespace dwell {
namespace {

bool frames_before(const std::vector<ReportFrame>& a, const std::vector<ReportFrame>& b) {
  return std::ranges::lexicographical_compare(a, b, reads_before);
}

class FrameList : public FrameSource {
 public:
  explicit FrameList(std::vector<ReportFrame> frames) : frames_(std::move(frames)), parts_(frames_.size()) {
    std::iota(parts_.begin(), parts_.end(), 0);
  }
  std::span<const std::uint32_t> parts_of(StackId) const override { return parts_; }
  std::vector<ReportFrame> frames(std::uint32_t part) const override { return {frames_[part]}; }
  bool stack_before(StackId, StackId) const override { return false; }

 private:
  std::vector<ReportFrame> frames_;
  std::vector<std::uint32_t> parts_;
};

}  // namespace

bool reads_before(const ReportFrame& a, const ReportFrame& b) {
  return std::tie(a.function, a.file, a.line, a.module, a.offset) <
         std::tie(b.function, b.file, b.line, b.module, b.offset);
}

ReportStack::ReportStack(std::vector<ReportFrame> frames) {
  if (!frames.empty()) source_ = std::make_shared<FrameList>(std::move(frames));
}

std::span<const std::uint32_t> ReportStack::parts() const {
  return source_ ? source_->parts_of(stack_) : std::span<const std::uint32_t>();
}

std::vector<ReportFrame> ReportStack::frames() const {
  std::vector<ReportFrame> all;
  for (std::uint32_t part : parts()) std::ranges::move(source_->frames(part), std::back_inserter(all));
  all.erase(all.begin(), all.begin() + std::min<std::ptrdiff_t>(skipped_, std::ssize(all)));
  return all;
}

bool ReportStack::operator<(const ReportStack& other) const {
  if (source_ && source_ == other.source_ && !skipped_ && !other.skipped_)
    return source_->stack_before(stack_, other.stack_);
  return frames_before(frames(), other.frames());
}

}  // namespace dwell
