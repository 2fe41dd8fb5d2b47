// SPDX-License-Identifier: Apache-2.0
// A look at a process's memory as text, and as JSON: docs/memory-look.md is the contract of the latter.
#pragma once

#include <cstddef>
#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/memory/account/look.h"

namespace dwell::memory {

struct LookTextOptions {
  TextStyle style;
  std::size_t rows = 10;  // of arenas, of size classes, of pins
};

std::string look_text(const MemoryLook& look, const LookTextOptions& options);
// "RSS 67.6 MB: 55.6 MB live blocks, 211.4 KB free inside the allocator, 40.0 KB unexplained"
std::string headline_text(const MemoryLook& look);
Json look_json(const MemoryLook& look);

}  // namespace dwell::memory
