// SPDX-License-Identifier: Apache-2.0
// The heap of a program that uses gperftools' tcmalloc, in a library or static, stripped.
#pragma once

#include <memory>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

// Null: there is none that we know.
std::unique_ptr<Heap> open_tcmalloc_heap(const Target& target);

}  // namespace dwell::memory::heap
