// SPDX-License-Identifier: Apache-2.0
// RuntimeStacks: a language's runtime that knows better than unwind tables how the stacks of its threads go on, because
// it switches stacks, or keeps tables of its own. Those who walk stacks know only this interface.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "symbolizer/proc_maps.h"
#include "userspace/process/process_memory.h"
#include "userspace/unwind/remote_unwinder.h"

namespace dwell {

class RuntimeStacks {
 public:
  virtual ~RuntimeStacks() = default;

  // A whole stack; what isn't the runtime's is walked by `unwinder`.
  virtual RemoteStack unwind(const ThreadRegisters& registers, std::uint64_t thread_pointer,
                             const RemoteUnwinder& unwinder, const MemoryReader& read) = 0;
};

// Null: the process has no such runtime. `memory` outlives what is returned.
using RuntimeStacksFinder =
    std::function<std::unique_ptr<RuntimeStacks>(const ProcessMemory& memory, std::span<const Mapping> mappings)>;

}  // namespace dwell
