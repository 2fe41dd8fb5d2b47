// SPDX-License-Identifier: Apache-2.0
// Comparing a report with what a target is known to have done, function by function and as a whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {

struct Truth {
  std::string function;
  std::int64_t blocks, bytes;
  std::string kind = "heap";
};
#define HEAP_TRUTH(function, blocks, bytes) {#function, blocks, bytes},

// How far stacks must reach: musl's start-up code has no unwind information.
enum class Stacks { kComplete, kToMain };

// Expects of each function exactly what it keeps, on stacks that begin at the program's start.
void expect_kept(const nlohmann::json& report, const std::vector<Truth>& all, Stacks stacks = Stacks::kComplete);

// And that nobody else keeps anything of that kind: the total is the sum.
void expect_nothing_else(const nlohmann::json& report, const std::vector<Truth>& all, const std::string& kind);

// Expects the ledger to have met nothing that it did not understand. Where threads end there are frees of blocks
// that nobody has: glibc empties the cache of such a thread by free().
void expect_no_surprise(const nlohmann::json& report, bool but_unknown_frees = false);

bool is_installed(const std::string& library);  // by its file name, among the system's libraries

}  // namespace dwell::testing
