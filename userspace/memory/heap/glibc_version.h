// SPDX-License-Identifier: Apache-2.0
// What version a C library says to be: for names, and for what cannot be told from its heap.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "symbolizer/proc_maps.h"

namespace dwell::memory::heap {

// Pure: "2.36" of "GNU C Library (...) stable release version 2.36."; "" if that stands nowhere.
std::string glibc_version_in(std::string_view bytes);

// Pure: whether a version is older than 2.MINOR. "" and what is no such number count as new.
bool is_glibc_before(std::string_view version, int minor);

// Of the file that is mapped; "" if it does not say.
std::string glibc_version(pid_t pid, const Mapping& mapping);

}  // namespace dwell::memory::heap
