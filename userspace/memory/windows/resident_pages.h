// SPDX-License-Identifier: Apache-2.0
// ResidentPages: how many pages of a process are in memory, read often: a file of /proc that is kept open, three microseconds.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "userspace/base/unique_fd.h"

namespace dwell::memory::windows {

class ResidentPages {
 public:
  // None: the process has ended.
  static std::optional<ResidentPages> open(pid_t pid);
  std::optional<std::uint64_t> read() const;

 private:
  explicit ResidentPages(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace dwell::memory::windows
