// SPDX-License-Identifier: Apache-2.0
// PageStates: which pages of a process are in memory, by /proc/PID/pagemap, so that a look touches none that the
// process has not touched, and brings none back from swap.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "userspace/base/unique_fd.h"
#include "userspace/memory/heap/zero_frames.h"

namespace dwell::memory::heap {

constexpr std::uint64_t kPageSize = 4096;

enum class PageState : std::uint8_t {
  kAbsent,   // never written, or given back: anonymous memory, it would read as zeros
  kPresent,
  kSwapped,
};

class PageStates {
 public:
  explicit PageStates(pid_t pid);
  // The same with another source, for tests.
  using Source = std::function<PageState(std::uint64_t address)>;
  explicit PageStates(Source source) : source_(std::move(source)) {}

  // Whether they can be told at all. If not, every page counts as present.
  bool known() const { return source_ || fd_.valid(); }
  // Of the pages from the one that holds `address` on.
  void read(std::uint64_t address, std::span<PageState> states) const;

 private:
  UniqueFd fd_;
  ZeroFrames zeros_;
  Source source_;
};

}  // namespace dwell::memory::heap
