// SPDX-License-Identifier: Apache-2.0
// MemoryBound: what a parser may take of memory for an input of a certain size. More, at any moment, is a finding.
//
//   dwell::testing::MemoryBound bound(size, 1 << 20, 64);  // a MiB, and 64 bytes for each byte of the input
#pragma once

#include <cstddef>

namespace dwell::testing {

class MemoryBound {
 public:
  MemoryBound(std::size_t input, std::size_t fixed, std::size_t for_each_byte);
  ~MemoryBound();
  MemoryBound(const MemoryBound&) = delete;

 private:
  std::size_t before_, most_;
};

}  // namespace dwell::testing
