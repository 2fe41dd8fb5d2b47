// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/class_name.h"

#include "symbolizer/demangle.h"

namespace dwell::memory::heap {

std::string class_name(const std::string& mangled, bool array) {
  constexpr std::string_view kBefore = "typeinfo name for ";
  std::string name = demangle("_ZTS" + mangled, DemangleWidth::kFull, false);
  if (name.starts_with(kBefore)) name.erase(0, kBefore.size());
  return array ? name + "[]" : name;
}

}  // namespace dwell::memory::heap
