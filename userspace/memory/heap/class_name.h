// SPDX-License-Identifier: Apache-2.0
// Names of C++ classes for people.
#pragma once

#include <string>

namespace dwell::memory::heap {

// "Session", "Session[]" of a type's mangled name. Not made printable.
std::string class_name(const std::string& mangled, bool array);

}  // namespace dwell::memory::heap
