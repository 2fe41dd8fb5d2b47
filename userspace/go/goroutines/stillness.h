// SPDX-License-Identifier: Apache-2.0
// Stillness: what of a waiting goroutine changes when it runs. Equal at two moments: it has not run in between.
#pragma once

#include <cstdint>

#include "userspace/go/goroutines/goroutine.h"

namespace dwell {

struct Stillness {
  std::uint64_t address = 0, id = 0;
  std::uint64_t depth = 0, pc = 0;  // where it waits; the depth, as a collection may move its stack
  std::uint64_t waiting = 0;        // *sudog
  std::uint64_t since_ns = 0;       // the runtime notes it at a collection, and clears it when the goroutine runs
  std::uint8_t wait_reason = 0;
  std::uint8_t departures = 0;  // the runtime's own count, of 256; always 0 where this version keeps none
};

inline Stillness stillness_of(const Goroutine& goroutine) {
  return {goroutine.address,
          goroutine.id,
          goroutine.stack_high - goroutine.sp,
          goroutine.pc,
          goroutine.waiting,
          goroutine.wait_since_ns,
          goroutine.wait_reason,
          goroutine.departures};
}

inline bool has_run_between(const Stillness& before, const Stillness& after) {
  bool same_place = before.address == after.address && before.id == after.id && before.depth == after.depth &&
                    before.pc == after.pc && before.waiting == after.waiting &&
                    before.wait_reason == after.wait_reason && before.departures == after.departures;
  bool same_wait = !before.since_ns || before.since_ns == after.since_ns;
  return !same_place || !same_wait;
}

}  // namespace dwell
