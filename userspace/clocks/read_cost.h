// SPDX-License-Identifier: Apache-2.0
// What one read of a clock costs on this machine: measured, not assumed.
#pragma once

namespace dwell {

struct ReadCost {
  double exact_ns, coarse_ns;
};
ReadCost measure_read_cost();

}  // namespace dwell
