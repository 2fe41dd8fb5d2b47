// SPDX-License-Identifier: Apache-2.0
// Which signals a process handles: a handler can end the wait of a thread that nobody else would wake.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace dwell {

// Bit N - 1 for signal N, of those that a handler runs for and that some thread lets through. Left out: those that the
// C library keeps for itself, and those that a thread's own errors raise.
std::uint64_t handled_signals(pid_t pid);

// Pure: a mask in the text of /proc/PID/status; 0 if it is not there.
std::uint64_t signal_mask(std::string_view status, std::string_view field);
// Pure: what of the handled ones counts, when `blocked` are blocked in all threads.
std::uint64_t that_may_come(std::uint64_t handled, std::uint64_t blocked);

// "SIGALRM, SIGTERM and 3 more signals"; "no signal"
std::string signal_names(std::uint64_t signals);

}  // namespace dwell
