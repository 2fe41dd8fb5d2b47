// SPDX-License-Identifier: Apache-2.0
// The heap of a program that uses glibc's malloc, 2.17 to 2.44.
#pragma once

#include <memory>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

// Null: glibc's malloc is not in use.
std::unique_ptr<Heap> open_glibc_heap(const Target& target);

}  // namespace dwell::memory::heap
