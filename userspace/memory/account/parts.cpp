// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/parts.h"

namespace dwell::memory {

std::string_view name_of(Part part) {
  switch (part) {
    case Part::kLive:
      return "live blocks";
    case Part::kFree:
      return "free inside the allocator";
    case Part::kMetadata:
      return "allocator metadata";
    case Part::kStacks:
      return "thread stacks";
    case Part::kGenerated:
      return "generated code";
    case Part::kData:
      return "data of modules";
    case Part::kFiles:
      return "files and code";
    case Part::kShared:
      return "shared memory";
    case Part::kJavaScript:
      return "JavaScript heap";
    case Part::kGoHeap:
      return "Go heap";
    case Part::kGoStacks:
      return "goroutine stacks";
    case Part::kGoIdle:
      return "idle Go heap";
    case Part::kAnonymous:
      return "anonymous mappings";
    default:
      return "unexplained";
  }
}

std::optional<Part> part_named(std::string_view name) {
  for (std::size_t i = 0; i < kParts; ++i)
    if (name_of(static_cast<Part>(i)) == name) return static_cast<Part>(i);
  return std::nullopt;
}

}  // namespace dwell::memory
