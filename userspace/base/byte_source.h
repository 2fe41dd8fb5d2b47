// SPDX-License-Identifier: Apache-2.0
// ByteSource: the bytes of a file, or of memory, read piece by piece.
//
// Files are read, not mapped: a mapping of a file that shrinks ends its reader by SIGBUS. What is no regular file is
// refused before it is opened for reading, so that no pipe is waited for and no device set going.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

class ByteSource {
 public:
  static Result<ByteSource> open(const std::string& path);
  explicit ByteSource(std::span<const std::byte> bytes) : bytes_(bytes), size_(bytes.size()) {}

  std::uint64_t size() const { return size_; }  // when it was opened
  // Bytes [offset, offset + count), fewer where the source ends before. Good until the next call.
  Result<std::span<const std::byte>> read(std::uint64_t offset, std::size_t count);

 private:
  ByteSource(std::string path, UniqueFd file, std::uint64_t size) : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  std::string path_;
  UniqueFd file_;
  std::span<const std::byte> bytes_;  // if there is no file
  std::uint64_t size_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace dwell
