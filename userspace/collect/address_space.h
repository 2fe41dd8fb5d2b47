// SPDX-License-Identifier: Apache-2.0
// AddressSpace: where the code of one process is, so that an address becomes a place in a file while it
// still means one. Pure: it is told the mappings, and reads nothing itself.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

struct CodeRange {
  std::uint64_t start, end;   // [start, end) in the target
  std::uint64_t file_offset;  // of start; for JIT code: start itself, as there is no file
  std::uint32_t module;       // index in the recording
};

class AddressSpace {
 public:
  void replace(std::vector<CodeRange> ranges);
  // The module and the file offset of an address; no module, and the address itself, where there is none.
  Location locate(std::uint64_t address, bool return_address) const;
  bool covers(std::uint64_t address) const { return find(address) != nullptr; }

 private:
  const CodeRange* find(std::uint64_t address) const;
  std::vector<CodeRange> ranges_;  // sorted by start, not overlapping
};

}  // namespace dwell
