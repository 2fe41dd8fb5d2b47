// SPDX-License-Identifier: Apache-2.0
// Where in a function a probe belongs: the cheapest instruction that every call that matters executes once,
// with its arguments still in their registers. Pure: bytes in, placements out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bpf/probe_shapes.h"

namespace dwell {

// What the kernel does when the probe at an instruction is hit; each has its own price.
enum class TrapClass : std::uint8_t {
  kNop5,      // five-byte nop: recent kernels replace it by a call, no trap at all
  kEmulated,  // push, jmp, jcc, call, nop: done by the kernel inside the one trap
  kStepped,   // executed out of line: a second trap, and much dearer
};
inline constexpr int kTrapClasses = 3;
const char* trap_class_name(TrapClass trap);  // "nop5", "emulated", "single-stepped"

// What this kernel is known to do, found out by trying.
struct TrapAbilities {
  bool nop5_is_a_call = false;      // since 6.18
  bool long_nops_emulated = false;  // nops of more than one byte; since 6.18
};

// Nanoseconds that one hit adds, by class; the defaults are typical of a virtual machine.
struct TrapPrices {
  double entry_ns[kTrapClasses] = {230, 490, 5300};
  double return_ns = 310;  // on top, if the return probe runs too
  // What the traps of a call that begins with a breakpoint take beyond twice the time between its programs: next to nothing on
  // most machines, and microseconds where a hypervisor delivers breakpoints.
  double uneven_ns = 0;
};

struct FunctionCode {
  std::span<const std::byte> bytes;  // from the entry; as long as the function, or as much of it as is known
  std::uint64_t vaddr;
  bool complete = true;  // bytes hold the whole function, so a jump back into its start would be seen
};

struct PlacementNeed {
  dwell_probe_shape shape;
  bool returns;               // the return address must be at rsp
  std::vector<int> arguments; // these, in the order that the shape uses them, must be in registers it can read
  bool null_skipped;          // calls whose argument 0 is null do not matter: free(NULL)
  bool frame_pointer = false; // rbp must be the caller's: the stack is walked from there
};
PlacementNeed need_of(dwell_probe_shape shape);

struct Placement {
  dwell_probe_shape shape;   // as seen from there: a size moved from rdi to rsi makes it SIZE_ARG1
  std::uint32_t offset;      // from the function's entry
  std::uint32_t cfa_offset;  // CFA - rsp there
  TrapClass trap;
  std::string instruction;   // as disassembled
  double cost_ns;            // expected for each call
  bool at_stack_check = false;  // of Go: hit for calls that begin anew, too
};

// All placements that are right, cheapest first (of equal ones, the nearest to the entry). Never empty if
// the entry itself can be probed. `entered_inside` are addresses that other code of the module branches to.
std::vector<Placement> plan_placements(const FunctionCode& code, const PlacementNeed& need,
                                       const TrapAbilities& abilities, const TrapPrices& prices,
                                       std::span<const std::uint64_t> entered_inside = {});

struct BranchRange {
  std::uint64_t start, end;  // [start, end)
};

// Where the 32-bit relative branches of `text` lead, as far as that is inside one of the ranges. One pass
// that tries every byte position: it misses no branch, and may report bytes that only look like one.
std::vector<std::uint64_t> branch_targets_within(std::span<const std::byte> text, std::uint64_t text_vaddr,
                                                 std::span<const BranchRange> ranges);

}  // namespace dwell
