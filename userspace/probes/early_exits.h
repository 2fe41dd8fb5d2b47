// SPDX-License-Identifier: Apache-2.0
// Branches behind which a call is bound to return, with its result in a register already. The kernel emulates
// them, while it single-steps return instructions, which is many times dearer. Pure: bytes in, branches out.
//
//     test %r9,%r9
//     je   slow_way     <- not taken: will return r9
//     mov  (%r9),%rdx
//     mov  %rdx,(%rax)
//     mov  %r9,%rax
//     ret               <- needs no probe then
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "userspace/probes/planner.h"

namespace dwell {

struct EarlyExit {
  std::uint64_t vaddr;      // of the jump
  std::uint8_t condition;   // the low four bits of its opcode; kAlways
  bool taken;               // the way on which the call returns
  std::uint8_t result;      // the register that holds what it returns: 0 rax, 1 rcx, ... 15 r15
  std::uint32_t cfa_offset; // CFA - rsp there
  std::int32_t bp_offset;   // where the caller's rbp lies, from rsp; negative: it is still in rbp
};

inline constexpr std::uint8_t kAlways = 0xff;  // not a conditional jump

struct EarlyExits {
  std::vector<EarlyExit> branches;
  std::set<std::uint64_t> replaced;  // return instructions that are reached behind these branches only
};

// `code` is all of the function, from its entry on. `excluded` are addresses that no branch may have, `entered`
// where other code of the module jumps into it.
EarlyExits find_early_exits(const FunctionCode& code, const std::set<std::uint64_t>& excluded,
                            const std::set<std::uint64_t>& entered);

}  // namespace dwell
