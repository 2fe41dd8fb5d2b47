// SPDX-License-Identifier: Apache-2.0
// Resources of pairs by the call site that took them, as reports show them: stacks that read the same are one site.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/pairs/part.h"
#include "userspace/recording/model.h"
#include "userspace/views/filter.h"
#include "userspace/views/leaks.h"
#include "userspace/views/profile.h"
#include "userspace/views/report_stack.h"

namespace dwell::pairs {

struct HoldFigures {
  std::uint64_t taken = 0, given = 0;
  std::uint64_t taken_size = 0, given_size = 0;
  std::uint64_t lived_ns = 0;  // of those given back, in sum; 0: of an older recording
  std::uint64_t held() const { return taken > given ? taken - given : 0; }
  std::uint64_t held_size() const { return taken_size > given_size ? taken_size - given_size : 0; }
};

struct HoldRow : HoldFigures {
  ProcessSlot process = 0;
  std::uint16_t pair = 0;
  std::string function;      // that took them
  ReportStack stack, caller; // with that function, and from its caller on
  std::string incomplete;    // why the stack could not be followed to its root; "" if it could
  std::uint64_t peak = 0;    // the most that were held at a time, of one stack
  std::optional<double> growth_per_minute;     // of those held; none where the recording is too short to say
  std::optional<std::uint64_t> oldest_age_ns;  // of those held
  Lifetimes lifetimes;                         // of those given back
  std::vector<std::uint64_t> values;           // of those held, the oldest first, each once, no more than some
  std::optional<SiteLeak> leak;
};

// A pair, in all processes.
struct PairTotals : HoldFigures {
  std::uint64_t unknown = 0;  // given back, and nobody saw them taken
  std::uint64_t peak = 0;     // the most that were held at a time, in one process
  std::optional<std::uint64_t> peak_after_ns;  // since the recording began; none: nothing was ever held
};

struct PairReport {
  std::vector<PairInfo> pairs;
  std::vector<PairTotals> totals;  // for each of them
  std::vector<HoldRow> rows;       // leaks first, then the most held
};

bool follows_pairs(const Recording& recording);
PairReport pair_report(RecordingRef recording);
// Sample types: held, taken, given, lived (ns, of those given back); and the same as sizes where a pair has
// them. Label: pair.
Result<Profile> pair_profile(const Recording& recording, const ViewFilter& filter);

}  // namespace dwell::pairs
