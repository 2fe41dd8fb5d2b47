// SPDX-License-Identifier: Apache-2.0
// Which places of a module's code read a clock, and where in them a probe belongs.
//
// clock_gettime is a function of the C library. gettimeofday and time are chosen when the program starts, and
// the choice is the vDSO's own function, which can't be probed: there the module's stubs that jump to it are.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "symbolizer/elf_file.h"
#include "userspace/probes/calibrate.h"
#include "userspace/probes/planner.h"

namespace dwell {

struct ClockFunction {
  std::string name;   // "clock_gettime", "time stub"
  std::uint8_t call;  // dwell_clock_call
  std::uint64_t vaddr, size, file_offset;
  std::vector<Placement> placements;  // best first
  bool stub = false;                  // jumps to another module's function
};

struct ClockFunctions {
  std::vector<ClockFunction> functions;
  std::set<std::uint8_t> chosen;           // calls whose function the module chooses at start: IFUNCs
  std::vector<std::uint8_t> without_stub;  // calls that it imports, and makes through no stub
};

ClockFunctions clock_functions_of(const ElfFile& elf, const Calibration& calibration);

}  // namespace dwell
