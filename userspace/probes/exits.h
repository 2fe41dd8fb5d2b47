// SPDX-License-Identifier: Apache-2.0
// The instructions at which calls of a function return, for probes that see the end of a call without
// touching its return address.
//
//   operator new of an allocator      its own slow way, in another place of the module
//     ...                               ...
//     ret             <- exit           ret             <- exit
//     jmp slow_way    -- followed ->    jmp out_of_memory  -- followed -> ...
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "symbolizer/elf_file.h"
#include "userspace/probes/allocators.h"
#include "userspace/probes/early_exits.h"
#include "userspace/probes/forwarders.h"
#include "userspace/probes/function_ranges.h"
#include "userspace/probes/planner.h"

namespace dwell {

struct FunctionExits {
  std::vector<std::uint64_t> vaddrs;  // of return instructions, ascending
  std::vector<EarlyExit> branches;    // in place of other return instructions
  std::string why_not;                // not "": not all could be found, and there are none
};

// Every return instruction that a call of the function may end at: in its own code, and in all code of the
// module that it jumps to. More may be found than can be reached. `seen_to_return` are functions whose calls
// end before other probes' eyes, jumped to or not; their addresses are not followed. No branch at one of
// `excluded` is chosen.
FunctionExits find_exits(const ElfFile& elf, const CallTargets& targets, const FunctionRanges& ranges,
                         const AllocFunction& function, const std::set<std::uint64_t>& seen_to_return,
                         const std::set<std::uint64_t>& excluded = {});

}  // namespace dwell
