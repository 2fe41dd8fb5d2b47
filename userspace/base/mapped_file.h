// SPDX-License-Identifier: Apache-2.0
// MappedFile: the bytes of a file that we own, read-only, for as long as the object lives.
//
// Only for files nobody else truncates (our own recordings): a mapping of a file that shrinks kills
// the reader with SIGBUS. Files that a target controls are read with read_file() or libelf's ELF_C_READ.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "userspace/base/result.h"

namespace dwell {

class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dwell
