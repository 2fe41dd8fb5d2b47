// SPDX-License-Identifier: Apache-2.0
// GrowthTrigger: when the memory of a process grows so much faster than it mostly does that a window is worth while: what comes in bursts
// is met by random windows by chance only. Pure: time and sizes are arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::memory::windows {

class GrowthTrigger {
 public:
  static constexpr std::uint64_t kLookEveryNs = 4'000'000;

  // `pages`: that are resident. True: a window should begin now.
  bool update(std::uint64_t now_ns, std::uint64_t pages);

 private:
  std::uint64_t seen_ns_ = 0, pages_ = 0;  // at the last look; 0: there was none
  std::uint64_t next_ns_ = 0;              // no window before
  double rate_ = 0;                        // pages a second, of the last ten seconds or so
};

// Pure: the second number of /proc/PID/statm.
std::optional<std::uint64_t> resident_in(std::string_view statm);

}  // namespace dwell::memory::windows
