// SPDX-License-Identifier: Apache-2.0
// ProcessMemory: reads another process's memory while it runs. Nothing is stopped, nothing is written.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "userspace/base/result.h"

struct iovec;

namespace dwell {

struct MemoryPiece {
  std::uint64_t address;
  std::size_t size;
  char* to;
  bool read = false;  // all of it
};

class ProcessMemory {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}
  // The same with another way to read it, as read_some() does: what a hostile process may show.
  using Reader = std::function<std::size_t(std::uint64_t address, void* to, std::size_t size)>;
  ProcessMemory(pid_t pid, Reader reader) : pid_(pid), reader_(std::move(reader)) {}

  pid_t pid() const { return pid_; }
  bool read(std::uint64_t address, void* to, std::size_t size) const;
  // As much as is there from `address` on, up to `size`.
  std::size_t read_some(std::uint64_t address, void* to, std::size_t size) const;
  // Many pieces with few system calls. Pieces that can't be read are left unmarked.
  void read_pieces(std::span<MemoryPiece> pieces) const;

  template <typename T>
  std::optional<T> load(std::uint64_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    return read(address, &value, sizeof value) ? std::optional<T>(value) : std::nullopt;
  }
  // Up to `limit` bytes; empty if not all of them can be read.
  std::string text(std::uint64_t address, std::uint64_t size, std::size_t limit) const;

  // Whether we may read it at all: an error tells what is missing.
  Result<void> check(std::uint64_t address) const;

 private:
  ssize_t read_by_kernel(const iovec* local, const iovec* remote, std::size_t count) const;

  pid_t pid_;
  mutable pid_t thread_ = pid_;  // by which the kernel finds the memory
  Reader reader_;  // empty: the kernel's
};

// A field of bytes that were read; 0 if they are too few.
template <typename T>
T field_of(std::string_view bytes, std::size_t offset) {
  T value{};
  if (offset <= bytes.size() && bytes.size() - offset >= sizeof value)
    __builtin_memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace dwell
