// SPDX-License-Identifier: Apache-2.0
// The heap of a program that uses musl's allocator from before 1.2.1, dynamic or static.
#pragma once

#include <memory>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

// Null: there is none.
std::unique_ptr<Heap> open_old_musl_heap(const Target& target);

}  // namespace dwell::memory::heap
