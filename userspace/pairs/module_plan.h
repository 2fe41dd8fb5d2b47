// SPDX-License-Identifier: Apache-2.0
// From the functions of pairs that a module has to the places of their probes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"
#include "userspace/pairs/functions.h"
#include "userspace/probes/plan.h"

namespace dwell::pairs {

struct PairModule {
  AllocModule module;                  // its functions are those of pairs
  std::vector<FoundFunction> found;    // for each of them, which one it is
  std::vector<FoundCopy> copies;       // whose calls are not seen
  bool unwinds = false;                // has what throws exceptions or unwinds panics inside
};

// Nothing is in it: none of these functions is defined there.
Result<PairModule> find_pairs(pid_t pid, const Mapping& mapping, const std::vector<PairSpec>& specs);

// Which pair a function belongs to, and whether it gives back.
struct PairRole {
  std::uint16_t pair = 0;
  bool gives = false;
};
PairRole role_of(const std::vector<PairSpec>& specs, const PairFunction& function);

// Why a function that was found can't be followed: for what it is, or in the form that was asked for. "": it can.
std::string why_not_followed(const PairSpec& spec, const FoundFunction& function, bool gives);

// In the order of `module.found`. `may_unwind`: exceptions and panics are possible in the process, and no return probe is.
std::vector<PlannedProbe> plan_pairs(PairModule& module, const std::vector<PairSpec>& specs, bool may_unwind,
                                     const Calibration& calibration, const PlanOptions& options);

}  // namespace dwell::pairs
