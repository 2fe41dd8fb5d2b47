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
  // What is no longer mapped is still known where nothing took its place: stacks that wait to be read may lead
  // there, as those of a program do that called exec a moment ago.
  void replace(std::vector<CodeRange> ranges);
  void forget_former() { former_.clear(); }
  // The module and the file offset of an address; no module, and the address itself, where there is none.
  Location locate(std::uint64_t address, bool return_address) const;
  bool empty() const { return ranges_.empty(); }
  bool covers(std::uint64_t address) const { return find(address) != nullptr; }

 private:
  const CodeRange* find(std::uint64_t address) const;
  std::vector<CodeRange> ranges_;  // sorted by start, not overlapping
  std::vector<CodeRange> former_;  // the same, and none of them overlaps any of ranges_
};

}  // namespace dwell
