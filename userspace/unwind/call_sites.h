// SPDX-License-Identifier: Apache-2.0
// Where a call can lie in machine code.
//
// All but interrupted program counters on a stack are return addresses, so of an unwind table only the rows
// in which a call ends are ever looked up. Telling calls from other bytes needs no disassembly: whatever
// looks like one, at any byte, counts, so nothing is missed and a few rows too many are kept.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace dwell {

struct CallSites {
  std::vector<std::uint64_t> ends;     // ascending: virtual addresses of the last bytes
  std::vector<std::uint64_t> targets;  // of direct calls, in no order
};

// Everything in `code` that could be a call or a syscall. Direct calls count only if they lead into
// [text_begin, text_end).
CallSites find_calls(std::string_view code, std::uint64_t vaddr, std::uint64_t text_begin,
                     std::uint64_t text_end);

}  // namespace dwell
