// SPDX-License-Identifier: Apache-2.0
// TargetMemory: reads the memory of a running process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace dwell {

class TargetMemory {
 public:
  explicit TargetMemory(pid_t pid) : pid_(pid) {}

  // All of it, or false.
  bool read(std::uint64_t address, void* to, std::size_t size) const;
  // As much as there is, from `address` on.
  std::size_t read_some(std::uint64_t address, void* to, std::size_t size) const;

  template <typename T>
  std::optional<T> value(std::uint64_t address) const {
    T value;
    if (!read(address, &value, sizeof value)) return std::nullopt;
    return value;
  }

 private:
  pid_t pid_;
};

}  // namespace dwell
