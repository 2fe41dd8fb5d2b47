// SPDX-License-Identifier: Apache-2.0
// TickSchedule: how long the next tick lasts, and when a checkpoint of the live blocks is due, so that the
// size of a recording stays bounded.
//
// Ticks grow with the age of the recording (1 s at first, a minute after hours), and with what they cost: the
// size of all ticks follows  3 MB x (1 + ln(age / 1 minute)), about 10 MB for ten minutes and 25 MB for a day.
#pragma once

#include <cstdint>
#include <optional>

namespace dwell {

class TickSchedule {
 public:
  // `longest_ns`: what ticks grow to by age alone; none: to a minute.
  explicit TickSchedule(std::uint64_t start_ns, std::optional<std::uint64_t> longest_ns = {})
      : start_ns_(start_ns), tick_due_ns_(start_ns + kFirstTickNs), longest_ns_(longest_ns) {}

  bool tick_due(std::uint64_t now_ns) const { return now_ns >= tick_due_ns_; }
  std::uint64_t next_tick_ns() const { return tick_due_ns_; }
  // After a tick that took `bytes` in the file.
  void ticked(std::uint64_t now_ns, std::uint64_t bytes);

  // At 1, 2, 4, 8 ... minutes, unless the live blocks would take more than half of what the file has already, or
  // are so many that events would pile up while they are written.
  bool checkpoint_due(std::uint64_t now_ns, std::uint64_t live_blocks, std::uint64_t file_bytes) const;
  void checkpointed(std::uint64_t now_ns);

 private:
  static constexpr std::uint64_t kFirstTickNs = 1'000'000'000;
  std::uint64_t start_ns_, tick_due_ns_;
  std::optional<std::uint64_t> longest_ns_;
  std::uint64_t checkpoint_age_ns_ = 60'000'000'000;
};

}  // namespace dwell
