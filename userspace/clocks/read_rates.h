// SPDX-License-Identifier: Apache-2.0
// ReadRates: from what was counted in windows to reads a second, with their error. Pure.
//
// A thread that does little but read the clock is slowed down by the probe itself: in the window it reads
// less often than it does else. What the probe took from it is known, and is taken off its time.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "bpf/clocks.h"

namespace dwell {

struct ReadSite {
  std::uint64_t stack;
  std::uint8_t process, clock, call;
  auto operator<=>(const ReadSite&) const = default;
};

struct ReadFigures {
  std::uint64_t counted = 0;
  double per_second = 0;
  double error = 0;  // one standard error of per_second; 0: counted without a gap
  double total(double seconds) const { return per_second * seconds; }
};

class ReadRates {
 public:
  explicit ReadRates(double trap_ns) : trap_ns_(trap_ns) {}

  // What one slice of watching has counted: a window, or a part of a long one.
  void add_slice(std::uint64_t length_ns,
                 const std::vector<std::pair<dwell_read_key, std::uint64_t>>& counted);

  // Over a time of which all slices together are a part.
  std::map<ReadSite, ReadFigures> figures(std::uint64_t elapsed_ns) const;

  // Reads of threads that the probe slowed down: as counted, and in their own undisturbed time.
  double slowed_reads() const { return slowed_; }
  double slowed_per_second() const;
  std::uint64_t watched_ns() const { return watched_ns_; }
  // Slowed threads read so many times more often, all together, than the trap's price says: by samples.
  // Windows then only tell which site has what share of that.
  void correct_slowed(double factor, double relative_error);

 private:
  struct Sums {
    std::uint64_t counted = 0;
    double reads = 0;                      // of threads at their own pace
    double slowed = 0;                     // as counted
    double slowed_scaled = 0;              // had the probe not been there
    double squares = 0;                    // sum over slices of (all reads, scaled)^2 / length
    double reads_squares = 0;              // of `reads` alone
    double shares = 0, share_squares = 0;  // of what slowed threads read in a slice
  };
  double trap_ns_;
  std::map<ReadSite, Sums> sites_;
  double error_of(const Sums& sums, double slowed, double gap) const;

  std::uint64_t watched_ns_ = 0, slices_ = 0, slowed_slices_ = 0;
  double slowed_ = 0, slowed_scaled_ = 0;
  double factor_ = 0, factor_error_ = 0;
};

}  // namespace dwell
