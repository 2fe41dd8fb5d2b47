// SPDX-License-Identifier: Apache-2.0
// How clocks, and the calls that deal with them, are called.
#pragma once

#include <cstdint>

#include "bpf/clocks.h"

namespace dwell {

const char* clock_name(std::uint8_t clock);      // "CLOCK_REALTIME"
const char* clock_call_name(std::uint8_t call);  // "clock_gettime"
bool is_wall_clock(std::uint8_t clock);          // can be set: a step moves it
bool is_coarse_clock(std::uint8_t clock);

enum class CallKind : std::uint8_t { kRead, kSleep, kWait, kTimer, kSet };
CallKind kind_of_call(std::uint8_t call);
const char* name_of(CallKind kind);  // "read", "sleep", "wait", "timer", "set"

// The dwell_clock_call of a system call's number on x86-64; DWELL_CALL_NONE for those that matter not.
std::uint8_t clock_call_of_syscall(unsigned number);

}  // namespace dwell
