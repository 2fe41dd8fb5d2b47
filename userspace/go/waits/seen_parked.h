// SPDX-License-Identifier: Apache-2.0
// Which goroutines are parked at a moment, by a look at them, and their stacks as the recording has them:
// the same that a probe on runtime.gopark would have walked.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <vector>

#include "userspace/collect/stack_table.h"
#include "userspace/go/runtime/runtime.h"
#include "userspace/go/waits/park_accounts.h"
#include "userspace/record/modules.h"

namespace dwell {

class GoStackIds {
 public:
  GoStackIds(const GoModule& module, std::int32_t index, StackTable& stacks, RecordingWriter& writer)
      : module_(module), index_(index), stacks_(stacks), writer_(writer) {}

  // The identity of a stack of return addresses, leaf first.
  std::uint64_t identity(std::span<const std::uint64_t> pcs);

 private:
  const GoModule& module_;
  std::int32_t index_;  // in the recording
  StackTable& stacks_;
  RecordingWriter& writer_;
};

// The place of the Go module in the recording; -1 if it is in none.
std::int32_t module_index(pid_t pid, const GoModule& module, const ModuleTable& modules);

// Empty if the goroutines can't be read now.
std::vector<SeenParked> see_parked(const GoRuntime& runtime, ProcessSlot process, GoStackIds& stacks);

}  // namespace dwell
