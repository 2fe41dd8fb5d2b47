// SPDX-License-Identifier: Apache-2.0
// ParkAccounts: from what windows saw of goroutines that park to figures for the whole time, with their
// error. Pure: no clock, no kernel.
//
// A goroutine that is parked while a window is open counts with the part of its wait that lies in it, whether
// it parked before or goes on after. So waits that are longer than any window have their due: what is known
// of a window is for how long goroutines were parked in it, in all and by site, and nothing is cut off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "bpf/go_parks.h"

namespace dwell {

struct ParkSite {
  std::uint64_t stack = 0;  // identity
  std::uint8_t process = 0, kind = DWELL_GO_PARKED, reason = 0;
  auto operator<=>(const ParkSite&) const = default;
};

// A goroutine that a look found parked after the window had opened.
struct SeenParked {
  dwell_goroutine_key key;
  ParkSite site;
  std::uint64_t seen_ns;
};

// What one window saw.
struct ParkWindow {
  std::uint64_t start_ns = 0, end_ns = 0;
  std::map<std::uint8_t, std::uint64_t> process_ends;  // those that ended before the window did
  std::vector<std::pair<dwell_go_site, dwell_go_site_sums>> sites;
  std::vector<std::pair<dwell_goroutine_key, dwell_goroutine>> goroutines;
  std::vector<SeenParked> seen;

  std::uint64_t length_ns() const { return end_ns - start_ns; }
  std::uint64_t end_of(std::uint8_t process) const;
};

struct ParkSums {
  std::uint64_t count = 0;   // parks that began; of a mutex: slow ways in
  std::uint64_t before = 0;  // parked already when the window opened
  std::uint64_t still = 0;   // parked when it closed
  std::uint64_t ns = 0;
  std::uint64_t begun_ns = 0;  // of it: in waits that began in the window
  std::uint64_t max_ns = 0;    // of which one was seen parked, at least
  std::uint64_t queued = 0, queued_ns = 0;
};
std::map<ParkSite, ParkSums> sums_of(const ParkWindow& window);

struct ParkFigures {
  std::uint64_t counted = 0;          // as it was
  double count = 0, count_error = 0;  // over the whole time; one standard error, 0: nothing was missed
  double ns = 0, ns_error = 0;
  std::uint64_t before = 0;  // parked already at the very beginning
  std::uint64_t still = 0;   // parked at the end of the last window
  std::uint64_t max_ns = 0, queued = 0, queued_ns = 0;
};

class ParkAccounts {
 public:
  void add(const ParkWindow& window);
  std::uint64_t watched_ns() const { return watched_ns_; }
  std::uint64_t windows() const { return windows_; }
  // Over a time of which all windows together are a part.
  std::map<ParkSite, ParkFigures> figures(std::uint64_t elapsed_ns) const;

 private:
  struct Site {
    ParkSums all;
    double count_squares = 0, ns_squares = 0;  // sums over windows of value^2 / length
  };
  double error_of(double sum, double squares, double least_variance, double gap) const;

  std::map<ParkSite, Site> sites_;
  std::uint64_t watched_ns_ = 0, windows_ = 0;
};

}  // namespace dwell
