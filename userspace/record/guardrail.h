// SPDX-License-Identifier: Apache-2.0
// Guardrail: whether the probes have taken more of the target's CPU time than they may, over the last five seconds.
// Pure: it is told sums, and reads no clock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace dwell {

class Guardrail {
 public:
  // Percent of the target's CPU time, of which the probes' time is a part; 0: no limit.
  explicit Guardrail(double limit_percent) : limit_percent_(limit_percent) {}

  // Sums since the recording began: ns that the probes took, ns of CPU time that the target has used. Returns the
  // share in percent where it has been above the limit. A target that hardly runs is not hurt by any share.
  std::optional<double> add(std::uint64_t now_ns, std::uint64_t cost_ns, std::uint64_t target_cpu_ns);

 private:
  struct Sums {
    std::uint64_t time_ns, cost_ns, target_cpu_ns;
  };
  double limit_percent_;
  std::deque<Sums> window_;
};

}  // namespace dwell
