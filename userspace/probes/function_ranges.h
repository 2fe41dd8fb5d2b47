// SPDX-License-Identifier: Apache-2.0
// FunctionRanges: where the functions of a module begin and end, by the index of its call frame information
// (.eh_frame_hdr), which stripped files keep; by its symbols, where it has no such index, as static programs.
// A function that the compiler split is several ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "symbolizer/elf_file.h"
#include "userspace/probes/planner.h"

namespace dwell {

class FunctionRanges {
 public:
  explicit FunctionRanges(const ElfFile& elf);

  // The range that holds the address, up to where the next one begins: padding and code that nothing tells of
  // belong to what stands before. Nothing: the address is in no range.
  std::optional<BranchRange> containing(std::uint64_t vaddr) const;
  bool begins_at(std::uint64_t vaddr) const;

 private:
  void read_index(const ElfFile& elf);

  std::vector<std::uint64_t> begins_;  // sorted
  std::vector<BranchRange> code_;      // executable segments
};

}  // namespace dwell
