// SPDX-License-Identifier: Apache-2.0
// LazyBytes: the contents of one section, read piece by piece when a piece is looked at. One address in a file
// with 500 MB of debug information touches a few pieces; a mapping would do the same, and die with SIGBUS when
// the file's owner truncates it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"

namespace dwell {

class LazyBytes {
 public:
  LazyBytes() = default;
  // Empty if the file has no such section, or one that cannot be read.
  static LazyBytes of_section(const std::shared_ptr<const ElfFile>& elf, std::string_view name);
  static LazyBytes of_bytes(std::shared_ptr<const std::string> bytes);

  LazyBytes(LazyBytes&& other) noexcept;
  LazyBytes& operator=(LazyBytes&& other) noexcept;
  ~LazyBytes();

  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // The bytes [offset, offset + length), or nothing if they are not all there. Valid as long as this object.
  std::string_view view(std::uint64_t offset, std::uint64_t length);
  // All bytes from offset on, at most `length`.
  std::string_view up_to(std::uint64_t offset, std::uint64_t length);
  // The NUL-terminated string at offset, "" if there is none within kMaxString.
  std::string_view c_string(std::uint64_t offset);
  // A few bytes without keeping the piece around them, for walking over headers.
  bool peek(std::uint64_t offset, void* to, std::size_t length);

  // Reads into memory of the caller's instead of keeping the piece; a view of what is held anyway.
  std::string_view read_into(std::uint64_t offset, std::uint64_t length, std::unique_ptr<char[]>& buffer,
                             std::uint64_t& capacity);

  std::uint64_t loaded() const { return loaded_; }

  static constexpr std::size_t kMaxString = std::size_t{1} << 20;

 private:
  static constexpr std::uint64_t kPiece = std::uint64_t{32} << 10;
  bool ensure(std::uint64_t offset, std::uint64_t length);
  bool load(std::uint64_t first_piece, std::uint64_t end_piece);

  std::shared_ptr<const ElfFile> elf_;  // null: everything is in held_
  std::shared_ptr<const std::string> held_;
  std::uint64_t file_offset_ = 0, size_ = 0, loaded_ = 0;
  char* memory_ = nullptr;        // reserved for the whole section, filled where a bit is set
  std::vector<bool> is_loaded_;
};

}  // namespace dwell
