// SPDX-License-Identifier: Apache-2.0
// ByteReader: Cursor's contract (sticky failure, zeros past the end) for the inner loop of the DWARF reader,
// where most varints have one byte and the call per field would show.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace dwell {

class ByteReader {
 public:
  ByteReader() = default;
  explicit ByteReader(std::string_view bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ >= end_; }
  std::size_t offset() const { return at_ - begin_; }
  std::size_t remaining() const { return end_ - at_; }
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  void seek(std::size_t offset) {
    if (offset > static_cast<std::size_t>(end_ - begin_)) return fail();
    at_ = begin_ + offset;
  }
  void skip(std::uint64_t count) {
    if (count > remaining()) return fail();
    at_ += count;
  }
  template <typename T>
  T fixed() {
    T value{};
    if (remaining() < sizeof(T)) {
      fail();
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  std::uint32_t u24() {
    std::uint32_t low = u16();
    return low | std::uint32_t{u8()} << 16;
  }

  // Bits beyond the 64th are dropped, as other readers do: compilers pad varints.
  std::uint64_t uleb() {
    if (at_ < end_ && !(*at_ & 0x80)) return static_cast<unsigned char>(*at_++);
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (at_ == end_) {
        fail();
        return 0;
      }
      unsigned char byte = *at_++;
      if (shift < 64) value |= std::uint64_t{byte & 0x7fu} << shift;
      if (!(byte & 0x80)) return value;
    }
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;;) {
      if (at_ == end_) {
        fail();
        return 0;
      }
      unsigned char byte = *at_++;
      if (shift < 64) value |= std::uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if (byte & 0x80) continue;
      if (shift < 64 && (byte & 0x40)) value |= ~std::uint64_t{0} << shift;
      return static_cast<std::int64_t>(value);
    }
  }
  void skip_leb() {
    while (at_ < end_) {
      if (!(*at_++ & 0x80)) return;
    }
    fail();
  }
  std::string_view text(std::uint64_t count) {
    if (count > remaining()) {
      fail();
      return {};
    }
    std::string_view result(at_, count);
    at_ += count;
    return result;
  }
  std::string_view c_string() {
    const void* end = remaining() ? std::memchr(at_, 0, remaining()) : nullptr;
    if (!end) {
      fail();
      return {};
    }
    std::string_view result(at_, static_cast<const char*>(end) - at_);
    at_ = static_cast<const char*>(end) + 1;
    return result;
  }

 private:
  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool ok_ = true;
};

}  // namespace dwell
