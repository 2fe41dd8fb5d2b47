// SPDX-License-Identifier: Apache-2.0
// What changed between two recordings of a Go program: goroutines by who started them, heap by call site.
// Each is as of the last look.
#pragma once

#include <optional>
#include <vector>

#include "userspace/go/record/report.h"

namespace dwell {

struct GoDiffCreator {
  GoCall creator;
  std::vector<GoCall> calls;  // where most of them are
  std::uint64_t before = 0, after = 0;
};

struct GoDiffSite {
  std::vector<GoCall> calls;
  GoEstimate before, after;  // in use
};

struct GoDiff {
  std::uint64_t before = 0, after = 0;  // goroutines
  std::vector<GoDiffCreator> creators;  // those that grew most first; equal ones are left out
  GoEstimate heap_before, heap_after;
  std::vector<GoDiffSite> sites;  // the same
};

// Of the first Go program in each; none if one has none.
std::optional<GoDiff> go_diff(const Recording& before, const Recording& after);

}  // namespace dwell
