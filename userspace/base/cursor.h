// SPDX-License-Identifier: Apache-2.0
// Cursor: reads little-endian fields and varints from bytes that may lie.
//
// It is sticky: a read past the end yields zeros and fails the cursor for good, so a parser checks ok()
// once per structure instead of once per field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace dwell {

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}
  explicit Cursor(std::string_view bytes) : Cursor(std::as_bytes(std::span(bytes))) {}

  bool ok() const { return ok_; }
  bool at_end() const { return offset_ >= bytes_.size(); }
  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }
  void fail() {
    ok_ = false;
    offset_ = bytes_.size();
  }

  void seek(std::size_t offset) {
    if (offset > bytes_.size()) return fail();
    offset_ = offset;
  }
  void skip(std::size_t count) { take(count); }

  template <typename T>
  T fixed() {
    static_assert(std::is_trivially_copyable_v<T>);
    std::span<const std::byte> from = take(sizeof(T));
    T value{};
    if (from.size() == sizeof(T)) std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }
  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }

  // LEB128, as in DWARF and protobuf. More than 64 bits of value fails the cursor.
  std::uint64_t uleb() {
    // Most numbers are small, and columns of millions of them are read.
    if (offset_ < bytes_.size() && std::to_integer<std::uint8_t>(bytes_[offset_]) < 0x80)
      return std::to_integer<std::uint64_t>(bytes_[offset_++]);
    std::uint64_t value = 0;
    for (unsigned shift = 0; ok_; shift += 7) {
      std::uint8_t byte = u8();
      std::uint64_t part = byte & 0x7f;
      if (shift > 63 || (shift == 63 && part > 1)) {
        fail();
        return 0;
      }
      value |= part << shift;
      if (!(byte & 0x80)) break;
    }
    return ok_ ? value : 0;
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    unsigned shift = 0;
    std::uint8_t byte = 0;
    do {
      byte = u8();
      if (shift > 63) {
        fail();
        return 0;
      }
      value |= std::uint64_t{byte & 0x7fu} << shift;
      shift += 7;
    } while (ok_ && (byte & 0x80));
    if (shift < 64 && (byte & 0x40)) value |= ~std::uint64_t{0} << shift;
    return ok_ ? static_cast<std::int64_t>(value) : 0;
  }

  // The next `count` bytes, or an empty span and a failed cursor.
  std::span<const std::byte> take(std::size_t count) {
    if (!ok_ || count > remaining()) {
      fail();
      return {};
    }
    std::span<const std::byte> result = bytes_.subspan(offset_, count);
    offset_ += count;
    return result;
  }
  std::string_view text(std::size_t count) {
    std::span<const std::byte> bytes = take(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // A NUL-terminated string; the NUL is consumed and not part of the result.
  std::string_view c_string() {
    if (!ok_) return {};
    const void* end = std::memchr(bytes_.data() + offset_, 0, remaining());
    if (!end) {
      fail();
      return {};
    }
    std::string_view result = text(static_cast<const std::byte*>(end) - (bytes_.data() + offset_));
    offset_ += 1;
    return result;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace dwell
