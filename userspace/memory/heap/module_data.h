// SPDX-License-Identifier: Apache-2.0
// Where the variables of programs and libraries lie: what allocators keep themselves by.
#pragma once

#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

// Written pieces of files and the zeroed data behind each, in address order; of each at most 64 MB.
std::vector<Range> module_data(const std::vector<Mapping>& mappings);

// Private memory without a file that may be written.
bool is_anonymous(const Mapping& mapping);

}  // namespace dwell::memory::heap
