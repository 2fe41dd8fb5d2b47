// SPDX-License-Identifier: Apache-2.0
// The heap of a program that uses jemalloc 5.3, in a library or static, stripped, with whatever prefix.
#pragma once

#include <memory>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

// Null: there is none that we know.
std::unique_ptr<Heap> open_jemalloc_heap(const Target& target);

}  // namespace dwell::memory::heap
