// SPDX-License-Identifier: Apache-2.0
// StackCompleter: goes on with walks that ended in the kernel for want of a table: the first ones through a library that was
// loaded a moment ago, or through a signal's frame.
#pragma once

#include <sys/types.h>

#include "userspace/collect/address_space.h"
#include "userspace/collect/changing_stacks.h"
#include "userspace/collect/decoder.h"
#include "userspace/record/modules.h"
#include "userspace/unwind/unwind_tables.h"

namespace dwell {

class StackCompleter {
 public:
  // Adds the frames above the last one, by the code of that moment, and says how the walk ended then.
  void complete(pid_t pid, const AddressSpace& space, const ModuleTable& modules, const StackRest& rest, WalkedStack& stack);

 private:
  UnwindTables tables_{UnwindOptions{.full_rows = true}};  // of the modules that such walks met, and no others
};

}  // namespace dwell
