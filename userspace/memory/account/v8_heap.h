// SPDX-License-Identifier: Apache-2.0
// Where V8 (Node, Chromium, Deno) keeps JavaScript objects, told by the heads of its chunks of memory.
#pragma once

#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory {

// In address order; empty where there is no V8, or one whose chunks look otherwise.
std::vector<heap::Range> find_v8_chunks(const heap::Target& target);

}  // namespace dwell::memory
