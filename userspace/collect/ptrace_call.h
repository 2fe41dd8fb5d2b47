// SPDX-License-Identifier: Apache-2.0
// ptrace(2) with plain numbers for what it calls pointers.
#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>

#include <cstdint>

namespace dwell {

inline long ptrace_call(int request, pid_t pid, std::uintptr_t address = 0, std::uintptr_t data = 0) {
  return ptrace(static_cast<__ptrace_request>(request), pid, reinterpret_cast<void*>(address),
                reinterpret_cast<void*>(data));
}

}  // namespace dwell
