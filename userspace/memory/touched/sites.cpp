// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/sites.h"

#include "userspace/memory/account/parts.h"

namespace dwell::memory {

std::string_view name_of(TouchedKind kind) {
  switch (kind) {
    case TouchedKind::kAnonymous:
      return name_of(Part::kAnonymous);
    case TouchedKind::kHeap:
      return "heap";
    case TouchedKind::kStacks:
      return name_of(Part::kStacks);
    case TouchedKind::kShared:
      return name_of(Part::kShared);
    case TouchedKind::kGenerated:
      return name_of(Part::kGenerated);
    case TouchedKind::kJavaScript:
      return name_of(Part::kJavaScript);
    case TouchedKind::kData:
      return name_of(Part::kData);
    case TouchedKind::kFiles:
      return name_of(Part::kFiles);
    default:
      return "given back";
  }
}

std::optional<TouchedKind> touched_kind_named(std::string_view name) {
  for (std::size_t i = 0; i <= kTouchedKinds; ++i)
    if (name_of(static_cast<TouchedKind>(i)) == name) return static_cast<TouchedKind>(i);
  return std::nullopt;
}

}  // namespace dwell::memory
