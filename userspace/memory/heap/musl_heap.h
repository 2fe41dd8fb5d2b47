// SPDX-License-Identifier: Apache-2.0
// The heap of a program that uses musl 1.2.1 or newer, dynamic or static.
#pragma once

#include <memory>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

// Null: there is none that we know.
std::unique_ptr<Heap> open_musl_heap(const Target& target);

}  // namespace dwell::memory::heap
