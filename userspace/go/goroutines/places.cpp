// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/places.h"

#include "userspace/go/goroutines/reader.h"

namespace dwell {

Result<void> GoroutinePlaces::find(const GoRuntime& runtime) {
  if (places_.empty()) return {};
  Result<LookFigures> figures = read_goroutines(runtime, [this](const Goroutine& goroutine) {
    auto found = places_.find(goroutine.address);
    if (found == places_.end() || !waits(goroutine)) return;
    found->second.pcs = goroutine.pcs;
    found->second.creator_pc = goroutine.id == 1 ? 0 : goroutine.creator_pc;
  });
  return figures ? Result<void>() : figures.error();
}

const GoroutinePlace& GoroutinePlaces::of(std::uint64_t goroutine) const {
  static const GoroutinePlace kNone;
  auto found = places_.find(goroutine);
  return found == places_.end() ? kNone : found->second;
}

}  // namespace dwell
