// SPDX-License-Identifier: Apache-2.0
// Demangling: C++ (Itanium), Rust (legacy and v0); all other names as they are. Names come from the target's
// files, so what a name can cost is bounded: one that is too long or too deep stays mangled.
#pragma once

#include <string>
#include <string_view>

namespace dwell {

enum class DemangleWidth {
  kFull,   // std::vector<int, std::allocator<int> >::push_back(int const&)
  kShort,  // std::vector::push_back
  kNone,   // _ZNSt6vectorIiSaIiEE9push_backERKi
};

// What a compiler split off or cloned says so, however the rest is written: "parse(char const*) [clone .cold]".
// `dots_are_clones` is false for Go, where a dot is a part of the name.
std::string demangle(std::string_view name, DemangleWidth width, bool dots_are_clones = true);

// "parse.part.0.cold" -> "parse".
std::string_view without_clone_suffix(std::string_view name);

bool is_mangled(std::string_view name);

// Removes template and generic arguments: "a<b>::c" -> "a::c". Operators and "<T as Trait>" keep theirs.
std::string without_template_arguments(std::string_view name);

}  // namespace dwell
