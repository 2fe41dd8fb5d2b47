// SPDX-License-Identifier: Apache-2.0
// What a recording holds of descriptors.
#pragma once

#include <vector>

#include "userspace/files/opened/counted.h"
#include "userspace/files/opened/tick.h"
#include "userspace/recording/model.h"

namespace dwell::files {

struct FilesPart {
  std::vector<DescriptorTick> ticks;  // in the order of time; none: they were not followed
  OpenDescriptors open;               // the last that were written
  std::vector<DescriptorCount> counts;  // in the order of time, where they were not followed
};

inline FilesPart& files_of(Recording& recording) { return recording.parts.get<FilesPart>(); }
inline const FilesPart& files_of(const Recording& recording) { return recording.parts.get<FilesPart>(); }

}  // namespace dwell::files
