// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/auxv.h"

#include <fmt/core.h>

#include "userspace/base/cursor.h"
#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"

namespace dwell {

std::optional<std::uint64_t> auxiliary_value(pid_t pid, std::uint64_t type) {
  Result<std::string> vector = read_file(fmt::format("/proc/{}/auxv", living_thread(pid)));
  if (!vector) return std::nullopt;
  Cursor cursor(*vector);
  while (cursor.remaining() >= 16) {
    std::uint64_t entry = cursor.u64(), value = cursor.u64();
    if (entry == type) return value;
  }
  return std::nullopt;
}

}  // namespace dwell
