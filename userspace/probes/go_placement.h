// SPDX-License-Identifier: Apache-2.0
// Where in a Go function a probe belongs: behind the check of its stack, as a function whose stack is too
// small grows it and begins anew, and on an instruction that the kernel emulates. The arguments are still in
// their registers there, and the return address is at rsp. Pure: bytes in, placements out.
//
//   1.21 and later                    before
//   cmp 0x10(%r14),%rsp               cmp 0x10(%r14),%rsp
//   jbe grow                          jbe grow         <- seen by the flags: taken, it will begin anew
//   push %rbp          <- here        sub $0x18,%rsp
//   mov %rsp,%rbp                     mov %rbp,0x10(%rsp)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/probes/planner.h"

namespace dwell {

struct GoPlacement {
  std::uint32_t offset;  // from the function's entry
  bool at_stack_check;   // hit for calls that begin anew, too
  TrapClass trap;
  std::string instruction;  // as disassembled
  double cost_ns;           // expected for each call
};

// All placements that are right, best first; empty if there is none.
std::vector<GoPlacement> plan_go_placements(const FunctionCode& code, const TrapAbilities& abilities,
                                            const TrapPrices& prices);

// Every instruction at which a call of the function returns, as offsets from its entry. `code` is all of it.
struct GoReturns {
  std::vector<std::uint32_t> offsets;
  std::string why_not;  // not "": not all could be found, and there are none
};
GoReturns find_go_returns(const FunctionCode& code);

// Inside a function: the first branch or call behind its call of `callee`, with nothing in between that
// branches. What the call returned, or what is handed on, is in rax there. Empty if there is no such call.
std::vector<GoPlacement> plan_behind_call(const FunctionCode& code, std::uint64_t callee,
                                          const TrapAbilities& abilities, const TrapPrices& prices);

// What a probe on the first instruction, where one would put it, costs: for comparison.
GoPlacement go_entry(const FunctionCode& code, const TrapAbilities& abilities, const TrapPrices& prices);

}  // namespace dwell
