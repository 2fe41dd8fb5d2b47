// SPDX-License-Identifier: Apache-2.0
// ReportStack: a stack as a report shows it. Its frames are made when they are asked for, because a report may have a
// million rows and print twenty of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

struct ReportFrame {
  std::string function;  // never empty: "module+0x12ab", "[jit]" or "[unknown]" where there is no name
  std::string file;      // may be empty
  std::uint32_t line = 0;
  std::string module;    // path, may be empty
  std::uint64_t offset = 0;  // file offset in the module, or the absolute address
  bool named = false;
  bool inlined = false;  // into the frame after it
  bool operator==(const ReportFrame&) const = default;
};

// A recording that a report reads from: somebody else's, which must live as long as the report, or the report's own.
class RecordingRef {
 public:
  RecordingRef(const Recording& recording) : recording_(std::shared_ptr<void>(), &recording) {}
  RecordingRef(Recording&& recording) : recording_(std::make_shared<const Recording>(std::move(recording))) {}
  const Recording& operator*() const { return *recording_; }
  const Recording* operator->() const { return recording_.get(); }

 private:
  std::shared_ptr<const Recording> recording_;
};

// By function, file, line, module and offset: the order in which rows with equal figures are shown.
bool reads_before(const ReportFrame& a, const ReportFrame& b);

// Where frames come from: a recording, or a list. A stack is made of parts that have one frame or several.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  virtual std::span<const std::uint32_t> parts_of(StackId stack) const = 0;  // leaf first
  virtual std::vector<ReportFrame> frames(std::uint32_t part) const = 0;     // innermost first
  // Whether the frames of `a` come before those of `b`, compared one by one with reads_before().
  virtual bool stack_before(StackId a, StackId b) const = 0;
};

class ReportStack {
 public:
  ReportStack() = default;
  ReportStack(std::vector<ReportFrame> frames);
  // Without its first `skipped` frames.
  ReportStack(std::shared_ptr<const FrameSource> source, StackId stack, std::size_t skipped = 0)
      : source_(std::move(source)), stack_(stack), skipped_(static_cast<std::uint32_t>(skipped)) {}

  std::vector<ReportFrame> frames() const;  // leaf first
  operator std::vector<ReportFrame>() const { return frames(); }
  ReportFrame front() const { return frames().front(); }
  bool empty() const { return parts().empty(); }
  bool operator<(const ReportStack& other) const;

  std::span<const std::uint32_t> parts() const;  // those of skipped frames too
  const FrameSource* source() const { return source_.get(); }

 private:
  std::shared_ptr<const FrameSource> source_;
  StackId stack_ = StackId::kUnknown;
  std::uint32_t skipped_ = 0;
};

}  // namespace dwell
