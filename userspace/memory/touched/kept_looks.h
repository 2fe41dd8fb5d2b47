// SPDX-License-Identifier: Apache-2.0
// What looks at the memory of recorded processes found, for others than who took them: heaps are walked once.
#pragma once

#include <map>

#include "userspace/memory/account/account.h"
#include "userspace/recording/ids.h"

namespace dwell::memory {

struct KeptLooks {
  std::map<ProcessSlot, OwnedMemory> last;  // at the end of the recording
};

}  // namespace dwell::memory
