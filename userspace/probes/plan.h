// SPDX-License-Identifier: Apache-2.0
// From the allocators of a process to the sites of its probes: find, disassemble, choose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/probes/allocators.h"
#include "userspace/probes/attach.h"
#include "userspace/probes/calibrate.h"
#include "userspace/probes/planner.h"

namespace dwell {

// How the end of a call is seen. A return probe puts the kernel's trampoline in place of the return address,
// and no unwinder gets past it: functions that may throw have none.
enum class CallEnd : std::uint8_t {
  kNone,         // it does not matter
  kReturnProbe,
  kExits,        // by probes on the function's return instructions
  kInnerCall,    // by the probe of the function whose block it hands on
};

struct PlannedProbe {
  std::uint16_t index;  // in the cookie and in dwell_header.probe; counts from 1
  AllocFunction function;
  std::string module;   // as the target sees it
  std::vector<Placement> placements;  // best first; empty: refused, see `refusal`, or seen at its exits alone
  std::string refusal;
  CallEnd end = CallEnd::kNone;
  std::vector<ProbeSite::Candidate> exits;  // of CallEnd::kExits
  bool early_exits = false;                 // its usual way has none that is single-stepped
  ProbeSite site;

  const Placement& chosen() const { return placements[static_cast<std::size_t>(candidate)]; }
  int candidate = 0;    // set by note_attached(): which placement the kernel took
};

struct PlanOptions {
  bool heap = true;
  bool mappings = true;          // mmap and its relatives
  bool returns_allowed = true;   // false: it would not survive return probes; exits instead
  bool nop5_allowed = true;      // false: under a seccomp filter that kills for the probe's system call
  std::uint16_t first_index = 1;
};

// Plans one module. Nothing is attached.
std::vector<PlannedProbe> plan_module(const AllocModule& module, const Calibration& calibration,
                                      const PlanOptions& options);
// Where the kernel refuses every place of a function with a return probe: its return instructions instead, which leaves
// more places for its entry. False, and `probe` is as it was: there is no such way. `others` are all of the module.
bool plan_by_exits(const AllocModule& module, const Calibration& calibration, const PlanOptions& options,
                   const std::vector<PlannedProbe*>& others, PlannedProbe& probe);
std::vector<PlannedProbe> plan_all(const AllocatorSet& allocators, const Calibration& calibration,
                                   const PlanOptions& options);

// Whether a probe has something to tell while these are attached: that of __cxa_throw only beside calls whose
// end is seen by exits.
bool is_needed(const PlannedProbe& probe, bool any_exits);

// The sites to attach, in the order of the probes that were not refused, and back: what became of them.
std::vector<ProbeSite> sites_of(const std::vector<PlannedProbe>& probes);
void note_attached(std::vector<PlannedProbe>& probes, const std::vector<AttachedSite>& attached);

}  // namespace dwell
