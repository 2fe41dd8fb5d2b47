// SPDX-License-Identifier: Apache-2.0
// GoThreads: stacks of threads that run Go. Its assembly keeps no frame pointers, and its scheduler switches
// stacks; Go's own table knows each frame's size, and its structures where the other stack goes on.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "symbolizer/proc_maps.h"
#include "userspace/go/runtime/frames.h"
#include "userspace/go/runtime/module.h"
#include "userspace/go/runtime/layout.h"
#include "userspace/process/process_memory.h"
#include "userspace/unwind/remote_unwinder.h"
#include "userspace/unwind/runtime_stacks.h"

namespace dwell {

class GoThreads : public RuntimeStacks {
 public:
  // None: no Go in this process.
  static std::unique_ptr<RuntimeStacks> find(const ProcessMemory& memory, std::span<const Mapping> mappings);

  // C is walked by `unwinder`.
  RemoteStack unwind(const ThreadRegisters& registers, std::uint64_t thread_pointer,
                     const RemoteUnwinder& unwinder, const MemoryReader& read) override;

 private:
  enum class Role : std::uint8_t { kOrdinary, kRoot, kSwitchesStack };
  struct Walk;

  GoThreads(const ProcessMemory& memory, GoModule module, int minor);
  Role role_of(std::uint64_t pc);
  void walk_go(Walk& walk);
  void walk_others(Walk& walk, const RemoteUnwinder& unwinder);
  bool go_on_below(Walk& walk);

  const ProcessMemory& memory_;
  GoModule module_;
  const GoLayout* layout_;
  GoFrames frames_;
  absl::flat_hash_map<std::uint64_t, Role> roles_;  // by pc
};

}  // namespace dwell
