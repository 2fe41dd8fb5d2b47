// SPDX-License-Identifier: Apache-2.0
// FrameTexts: how each location of a recording reads, with or without symbols.
//
// Locations that read the same are the same to every view: a recording gives the same report whether its symbols
// came with it or later, and two return addresses on one line are one call site.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

class FrameTexts final : public FrameSource {
 public:
  explicit FrameTexts(RecordingRef recording);

  // The frames of a location, innermost first, at least one.
  std::vector<ReportFrame> frames(std::uint32_t location) const override;
  // Of all of a stack, leaf first.
  std::vector<ReportFrame> frames_of(const CallStack& stack) const;
  std::span<const std::uint32_t> parts_of(StackId stack) const override;
  std::vector<std::uint32_t> readings_of(const CallStack& stack) const;
  // Equal for locations whose frames read the same.
  std::uint32_t reading(std::uint32_t location) const { return readings_[location]; }
  std::size_t reading_count() const { return first_location_.size(); }
  std::vector<ReportFrame> frames_of_reading(std::uint32_t reading) const { return frames(first_location_[reading]); }
  bool stack_before(StackId a, StackId b) const override;

 private:
  bool location_before(std::uint32_t a, std::uint32_t b) const;
  void rank_locations() const;

  RecordingRef recording_;
  std::vector<std::uint32_t> readings_;        // by location
  std::vector<std::uint32_t> first_location_;  // by reading
  mutable std::vector<std::uint32_t> ranks_;   // by location, as location_before() has them; made when first needed
};

// What a location without a name is called: "module+0x12ab", "[jit]" or "[unknown]".
std::string unnamed(const Recording& recording, const Location& location);
std::string_view base_name(std::string_view path);

// Why a walk ended before the root of the stack, "" if it did not. `end` is a dwell_stack_end.
std::string incomplete_because(std::uint8_t end);

// malloc and its relatives, which stand at the leaf of many stacks and are no call site.
bool is_allocator(std::string_view function);

// The part of a stack that is the program's own, without the C and C++ libraries at its ends.
std::vector<ReportFrame> own_part(const std::vector<ReportFrame>& stack);

}  // namespace dwell
