// SPDX-License-Identifier: Apache-2.0
// Which words of a value are pointers, by its type's own description.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <string>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct TypeMask {
  bool known = false;       // else any word may be one
  std::uint64_t size = 0;   // of a value; an array's objects hold several
  std::uint64_t words = 0;  // that may be pointers, from its beginning
  std::string bits;         // one for each of them
  bool is_pointer(std::uint64_t word) const {
    return word < words && (static_cast<unsigned char>(bits[word / 8]) >> (word % 8) & 1);
  }
};

class TypeMasks {
 public:
  explicit TypeMasks(const GoRuntime& runtime) : runtime_(&runtime) {}
  const TypeMask& of(std::uint64_t type);

 private:
  TypeMask read(std::uint64_t type) const;

  const GoRuntime* runtime_;
  absl::flat_hash_map<std::uint64_t, TypeMask> masks_;
};

}  // namespace dwell
