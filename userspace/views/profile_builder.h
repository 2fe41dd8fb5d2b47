// SPDX-License-Identifier: Apache-2.0
// ProfileBuilder: puts locations and mappings of a recording into a profile as they are used.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/views/profile.h"
#include "userspace/recording/model.h"
#include "userspace/views/frames.h"

namespace dwell {

class ProfileBuilder {
 public:
  ProfileBuilder(const Recording& recording, const FrameTexts& texts);

  // For a profile of the whole recording: its times, and the title with the first process.
  void entitle(const std::string& title);

  // As samples have it: leaf first, and why it was cut off at the end.
  std::vector<std::uint32_t> stack(StackId id);
  // A location that is no code: "[anonymous mappings]".
  std::uint32_t artificial(const std::string& name);

  Profile profile;

 private:
  void add_program();
  std::int32_t mapping(std::int32_t module);
  std::uint32_t profile_location(std::uint32_t location);
  ProfileLine line_of(ReportFrame& frame, std::uint32_t location);
  void note_symbols(ProfileMapping& mapping, const ProfileLocation& location, std::uint32_t index);

  const Recording& recording_;
  const FrameTexts& texts_;
  std::vector<std::uint32_t> locations_;
  std::vector<std::int32_t> mappings_;
  absl::flat_hash_map<std::string, std::uint32_t> artificial_;
  std::uint64_t next_start_ = 0x10000;
};

}  // namespace dwell
