// SPDX-License-Identifier: Apache-2.0
// Lines of the program that read the wall clock and compare what they read: time.Now().Unix() < until. Such a comparison goes
// wrong when the clock is set; time.Since and Time.Before compare the monotonic reading that time.Now takes as well.
#pragma once

#include <vector>

#include "userspace/go/code/call_sites.h"

namespace dwell {

struct WallRead {
  GoCall place;
  std::string by;  // "Unix": what leaves the monotonic reading out
};

// In functions whose names begin with `package`, "main."; each line once, in the order of the code.
std::vector<WallRead> compared_wall_reads(const GoRuntime& runtime, std::string_view package);

}  // namespace dwell
