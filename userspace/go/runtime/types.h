// SPDX-License-Identifier: Apache-2.0
// What a Go program's own descriptions of its types tell: names, and which type stands behind an interface.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

// "*context.cancelCtx"; "" if there is no type at this address.
std::string go_type_name(const GoRuntime& runtime, std::uint64_t type);

// A table that the compiler made: the first word of each interface value that holds this type.
struct GoItab {
  std::uint64_t address = 0;
  std::uint64_t interface = 0, type = 0;  // descriptions of types
};

// All that the compiler made. Empty where this version's layout is not known.
std::vector<GoItab> go_itabs(const GoRuntime& runtime);

}  // namespace dwell
