// SPDX-License-Identifier: Apache-2.0
// The functions of Go's runtime that change stacks: where Go calls C, and C calls Go.
//
// How far apart things lie there is read from the instructions, not known by version. What is not as it has always been has
// no rule: stacks end there. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/unwind/eh_frame.h"

namespace dwell {

inline constexpr int kBelowReturnAddress = -16;  // where rbp is saved, from the canonical frame address

// What a call in a function that switches stacks means: the rule for the return address at `offset` in its code.
struct SwitchRule {
  std::uint64_t offset;
  UnwindRule rule;
};
std::vector<SwitchRule> rules_of_asmcgocall(std::string_view code);
std::vector<SwitchRule> rules_of_systemstack(std::string_view code);
// `crosscall2_return`: where crosscall2's call of cgocallback returns to, counted from cgocallback's entry.
std::vector<SwitchRule> rules_of_cgocallback(std::string_view code, std::int64_t crosscall2_return);

struct GoDepthAt {
  std::uint64_t begin;  // from the function's entry
  std::int64_t depth;   // from the stack pointer to the return address
};
// Calls on a stack of their own making, behind which the old stack pointer is loaded from the new stack.
std::vector<SwitchRule> rules_of_restored_stacks(std::string_view code, const std::vector<GoDepthAt>& depths, bool saves_frame_pointer);

// Where the stack pointer first gets another value than its own plus or minus something: what the table says of the stack's
// depth holds no longer. The code's size if it never does.
std::uint64_t switches_stack_at(std::string_view code);

// From where on the caller's rbp lies right below the return address; none if the function does not keep it there. `depths`
// as in the function table.
std::optional<std::uint64_t> saves_frame_pointer_at(std::string_view code, const std::vector<GoDepthAt>& depths);

// Where `code` of a function at `entry` calls `target`; the address behind the call. 0: nowhere.
std::uint64_t return_of_call(std::string_view code, std::uint64_t entry, std::uint64_t target);

}  // namespace dwell
