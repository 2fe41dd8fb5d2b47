// SPDX-License-Identifier: Apache-2.0
// GoStacks: stacks of Go code as a recording holds them, with the names that the program's own tables give
// them.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "userspace/collect/address_space.h"
#include "userspace/go/runtime/frames.h"
#include "userspace/recording/writer.h"
#include "userspace/go/record/look.h"

namespace dwell {

class GoStacks {
 public:
  // The writer outlives it.
  explicit GoStacks(RecordingWriter& writer) : writer_(writer) {}

  // Where the code of the process is. Stacks that were told before keep what they meant.
  void map(std::vector<CodeRange> code);

  // Of a goroutine, leaf first; `calls` are those of the stack.
  GoStack stack(GoFrames& frames, std::span<const std::uint64_t> pcs, std::span<const GoCall> calls);
  // The call before a return address.
  GoStack call(GoFrames& frames, std::uint64_t pc, const GoCall& call);
  // As the runtime's profiles have it, with or without the addresses of inlined calls.
  GoStack profile_stack(GoFrames& frames, std::span<const std::uint64_t> pcs, std::span<const GoCall> calls);

  // Of locations of the recording.
  const std::map<std::uint32_t, LocationSymbol>& names() const { return names_; }
  // Writes those names that are not in the recording yet, behind what they name.
  Result<void> write_names();

  std::uint64_t refused() const { return refused_; }  // stacks that the recording had no room for

 private:
  std::uint32_t location(GoFrames& frames, std::uint64_t pc, bool return_address);
  GoStack intern(std::span<const std::uint32_t> locations, std::span<const GoCall> calls);

  RecordingWriter& writer_;
  AddressSpace code_;
  std::map<std::uint32_t, LocationSymbol> names_;
  std::vector<std::uint32_t> not_written_;
  std::uint64_t refused_ = 0;
};

}  // namespace dwell
