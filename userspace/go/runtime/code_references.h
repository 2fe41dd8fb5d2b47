// SPDX-License-Identifier: Apache-2.0
// Which addresses a function's code refers to. A stripped program has no names for its variables, but the
// functions that use them can be found, and say where they are.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace dwell {

struct CodeReference {
  std::uint64_t target;
  bool is_address;  // the address itself was taken (lea), not what stands there
};

// Pure. All references relative to the instruction pointer, in the order of the code, up to what can't be
// decoded.
std::vector<CodeReference> code_references(std::string_view code, std::uint64_t address);

}  // namespace dwell
