// SPDX-License-Identifier: Apache-2.0
// A name from a symbol table, at both widths.
#include <cstdlib>
#include <string_view>

#include "symbolizer/demangle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view name(reinterpret_cast<const char*>(data), size);
  if (name.find('\0') != std::string_view::npos) return 0;  // no such name comes out of a string table
  for (dwell::DemangleWidth width : {dwell::DemangleWidth::kFull, dwell::DemangleWidth::kShort}) {
    std::string shown = dwell::demangle(name, width);
    if (shown.empty() != name.empty()) std::abort();
    if (shown.size() > size + (64 << 10) + 16) std::abort();
  }
  dwell::without_template_arguments(name);
  return 0;
}
