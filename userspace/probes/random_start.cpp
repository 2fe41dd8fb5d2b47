// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/random_start.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/probes/calibrate.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMostTickNs = 10 * kMillisecond;

// The coarse clock advances with the ticks.
std::uint64_t tick_length_ns() {
  timespec tick{};
  if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_sec != 0) return kMostTickNs;
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(tick.tv_nsec), kMostTickNs);
}

}  // namespace

RandomStart::RandomStart(std::uint64_t seed) : tick_ns_(tick_length_ns()), random_(seed) {
  if (Result<ProbeSite> site = idle_site()) idle_.push_back(std::move(*site));
}

void RandomStart::wait(const ProbeLinks& kind) {
  auto first = std::make_unique<ProbeLinks>(kind.likewise(::getpid()));
  bool attached = static_cast<bool>(first->attach(idle_));
  closing_.close(std::move(first));
  if (!attached || idle_.empty()) return;
  timespec pause{0, static_cast<long>(random_() % std::max<std::uint64_t>(1, tick_ns_))};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

}  // namespace dwell
