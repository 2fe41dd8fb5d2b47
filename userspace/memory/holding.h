// SPDX-License-Identifier: Apache-2.0
// Holding: what the blocks of each call site were held by when the recording ended: by nothing, then they are leaked; or by which
// global variable, thread or other memory they can be reached. Found by looks at the running process, once the probes are gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/memory/tick.h"

namespace dwell {

struct HeldBy {
  std::uint32_t holder = 0;  // index in Holding::holders
  std::uint64_t bytes = 0;
  bool operator==(const HeldBy&) const = default;
};

// Of the blocks of a series that were looked for and found to be live: bytes as they were asked for. Where the recording knows but some
// of the blocks (within a budget, or sampled), each counts for those that it stands for: shares are what matters then.
struct HeldRow {
  std::uint32_t series = 0;
  std::uint64_t bytes = 0, lost_bytes = 0;  // all; those that nothing leads to
  std::uint64_t blocks = 0, lost_blocks = 0;
  std::vector<HeldBy> by;  // those that lead to most of it
  bool operator==(const HeldRow&) const = default;
};

struct Holding {
  std::uint64_t time_ns = 0;   // when the looks ended; 0: there were none
  std::uint64_t looks = 0;
  std::string unsettled;       // why it is not known what is lost: then nothing is said of any call site; "": it is
  std::uint64_t live_blocks = 0, live_bytes = 0;  // usable bytes of the whole heap, whoever allocated
  std::uint64_t lost_blocks = 0, lost_bytes = 0;  // of those, what nothing leads to
  std::vector<std::string> holders;
  std::vector<HeldRow> rows;   // by series, ascending
  bool known() const { return time_ns != 0 && unsettled.empty(); }
  bool operator==(const Holding&) const = default;
};

// A share of a call site's bytes from which on it is said to be leaked, or held by something.
inline constexpr double kMostOfIt = 0.95;

}  // namespace dwell
