// SPDX-License-Identifier: Apache-2.0
// Where some goroutines wait, and who started them: what stands for them in a report.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct GoroutinePlace {
  std::vector<std::uint64_t> pcs;
  std::uint64_t creator_pc = 0;  // 0: the first goroutine, or not found waiting
  auto operator<=>(const GoroutinePlace&) const = default;
};

class GoroutinePlaces {
 public:
  // By the address of its runtime.g.
  void want(std::uint64_t goroutine) { places_.try_emplace(goroutine); }
  Result<void> find(const GoRuntime& runtime);
  // Empty if it did not wait when it was looked for.
  const GoroutinePlace& of(std::uint64_t goroutine) const;

 private:
  absl::flat_hash_map<std::uint64_t, GoroutinePlace> places_;
};

}  // namespace dwell
