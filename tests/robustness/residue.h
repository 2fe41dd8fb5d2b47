// SPDX-License-Identifier: Apache-2.0
// What dwell might leave behind, looked for in the kernel and in the target's code.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

namespace dwell::testing {

// Ids of all BPF programs that are loaded on the machine.
std::set<unsigned> bpf_program_ids();
// Of those that no process holds: left behind, or on their way out. Others record on the machine as well.
std::set<unsigned> orphaned_bpf_program_ids();

// Places where the code that a process has mapped differs from the file that it is mapped from: breakpoints.
// "libc.so.6+0x98990", at most ten.
std::vector<std::string> changed_code(pid_t pid);

}  // namespace dwell::testing
