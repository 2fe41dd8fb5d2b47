// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/creation_pace.h"

#include <algorithm>

#include "userspace/base/time_units.h"

namespace dwell {
namespace {

constexpr std::uint64_t kPriceNs = 15'000;  // of a thread: two probes, a stack walk, a record; docs/evidence.d/house.md
constexpr std::uint64_t kMostShare = 50;    // a fiftieth
constexpr std::uint64_t kIdleShare = 5;     // a program that is idle may pay a little too

}  // namespace

bool CreationPace::too_dear(std::uint64_t now_ns, std::uint64_t cpu_ns) {
  if (since_ns_ && now_ns - since_ns_ < kSecond) return false;
  std::uint64_t passed_ns = now_ns - since_ns_, used_ns = cpu_ns - std::min(cpu_ns, cpu_since_ns_);
  std::uint64_t cost_ns = (created_ - created_since_) * kPriceNs;
  bool first = since_ns_ == 0;
  since_ns_ = now_ns;
  cpu_since_ns_ = cpu_ns;
  created_since_ = created_;
  return !first && cost_ns > (used_ns + passed_ns / kIdleShare) / kMostShare;
}

}  // namespace dwell
