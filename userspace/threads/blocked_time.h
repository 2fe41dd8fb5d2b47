// SPDX-License-Identifier: Apache-2.0
// BlockedTime: for how long threads were blocked, by stack, as the kernel's side sums it up.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/collect/event.h"
#include "userspace/collect/trace_core.h"

namespace dwell {

struct BlockedSum {
  ProcessSlot process = 0;
  std::uint64_t stack = 0;  // identity
  std::uint64_t ns = 0, times = 0;
};

class BlockedTime {
 public:
  static Result<BlockedTime> load(const TraceCore& core);
  BlockedTime(BlockedTime&&) noexcept;
  BlockedTime& operator=(BlockedTime&&) noexcept;
  ~BlockedTime();

  // Since load, those that have not come back included up to `now_ns`; these are named in `waiting`.
  std::vector<BlockedSum> read(std::uint64_t now_ns, std::set<Tid>& waiting) const;
  std::uint64_t lost() const;  // waits that are in no sum
  int program() const;
  void detach();

 private:
  struct Impl;
  explicit BlockedTime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
