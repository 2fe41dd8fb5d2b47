// SPDX-License-Identifier: Apache-2.0
// Writes call frame information byte by byte, for tests.
#pragma once

#include <cstdint>
#include <string>

namespace dwell {

class CfiBytes {
 public:
  template <typename T>
  CfiBytes& fixed(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  CfiBytes& u8(unsigned value) { return fixed(static_cast<std::uint8_t>(value)); }
  CfiBytes& u32(std::uint32_t value) { return fixed(value); }
  CfiBytes& text(const std::string& value) {
    bytes_ += value;
    return u8(0);
  }
  CfiBytes& ops(const std::string& value) {
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
};

inline std::string with_length(const std::string& body) {
  return CfiBytes().u32(static_cast<std::uint32_t>(body.size())).ops(body).bytes();
}

// def_cfa(rsp, 8); offset(return address, cfa - 8): how every x86-64 function begins.
inline const std::string kUsualStart("\x0c\x07\x08\x90\x01", 5);

// "zR" with 4-byte pc-relative addresses; flags are more augmentation letters without data ("S").
inline std::string cie(const std::string& initial = kUsualStart, const std::string& flags = "") {
  return with_length(CfiBytes()
                         .u32(0)
                         .u8(1)
                         .text("zR" + flags)
                         .u8(1)     // code alignment
                         .u8(0x78)  // data alignment -8
                         .u8(16)    // return address register
                         .u8(1)     // augmentation data: one byte
                         .u8(0x1b)  // pc-relative, signed 4 bytes
                         .ops(initial)
                         .bytes());
}

// An entry that comes `offset` bytes into a section loaded at `vaddr`, for the CIE at offset 0.
inline std::string fde(std::size_t offset, std::uint64_t vaddr, std::uint64_t begin, std::uint32_t size,
                       const std::string& instructions) {
  std::uint64_t field = vaddr + offset + 8;
  return with_length(CfiBytes()
                         .u32(static_cast<std::uint32_t>(offset + 4))
                         .u32(static_cast<std::uint32_t>(begin - field))
                         .u32(size)
                         .u8(0)
                         .ops(instructions)
                         .bytes());
}

// A section of one CIE and one FDE.
inline std::string section_of(std::uint64_t vaddr, std::uint64_t begin, std::uint32_t size,
                              const std::string& instructions, const std::string& the_cie = cie()) {
  return the_cie + fde(the_cie.size(), vaddr, begin, size, instructions);
}

}  // namespace dwell
