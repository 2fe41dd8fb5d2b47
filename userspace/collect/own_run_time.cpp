// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/own_run_time.h"

#include "bpf/tracer.h"
#include "userspace/collect/per_cpu.h"

namespace dwell {

std::uint64_t own_run_time_ns(int map_fd) {
  std::uint64_t sum_ns = 0;
  for (const dwell_run_time& one : per_cpu_values<dwell_run_time>(map_fd)) sum_ns += one.ns + one.runs * kAroundRunNs;
  return sum_ns;
}

}  // namespace dwell
