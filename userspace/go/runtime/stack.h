// SPDX-License-Identifier: Apache-2.0
// The walk up a goroutine's stack, by the tables that the runtime itself uses: exact at every address.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "userspace/go/runtime/frames.h"
#include "userspace/process/process_memory.h"

namespace dwell {

// Memory of the stack from `address` on; what is beyond is read from the target.
struct StackBytes {
  std::uint64_t address = 0;
  std::string_view bytes;
};

enum class WalkEnd {
  kRoot,     // where goroutines begin
  kUnsound,  // a frame was not called from where it returns to, or an address is in no function
};

// `sps`, if given, takes the stack pointer of each frame: where it ends below.
WalkEnd walk_go_stack(std::uint64_t pc, std::uint64_t sp, std::uint64_t stack_high, const StackBytes& stack,
                      const ProcessMemory& memory, GoFrames& frames, std::vector<std::uint64_t>& pcs,
                      std::vector<std::uint64_t>* sps = nullptr);

}  // namespace dwell
