// SPDX-License-Identifier: Apache-2.0
// What CPU time the threads of a process had, and for how long they waited for a CPU, by the scheduler's own count.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell {

struct WantedCpuTime {
  std::uint64_t ran_ns = 0, waited_ns = 0;  // of all threads that exist now, since each began
  bool operator==(const WantedCpuTime&) const = default;
};

// None if the kernel keeps no such count (CONFIG_SCHED_INFO), or the process has ended.
std::optional<WantedCpuTime> wanted_cpu_time(pid_t pid);

// "417 23 9" in /proc/PID/task/TID/schedstat: ns on a CPU, ns ready and not on one, how often.
std::optional<WantedCpuTime> wanted_cpu_time_in(std::string_view schedstat);

}  // namespace dwell
