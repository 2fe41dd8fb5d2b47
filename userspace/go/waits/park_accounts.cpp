// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/park_accounts.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cmath>

namespace dwell {
namespace {

constexpr double kNoGap = 1e-3;  // of the time: no more than the beginning and the end

ParkSite site_of(const dwell_go_site& site) { return {site.stack, site.process, site.kind, site.reason}; }

std::uint64_t from_to(std::uint64_t from, std::uint64_t to) { return to > from ? to - from : 0; }

void add_wait(ParkSums& sums, std::uint64_t ns) {
  sums.ns += ns;
  sums.max_ns = std::max(sums.max_ns, ns);
}

}  // namespace

std::uint64_t ParkWindow::end_of(std::uint8_t process) const {
  auto ended = process_ends.find(process);
  return ended == process_ends.end() ? end_ns : std::min(end_ns, ended->second);
}

std::map<ParkSite, ParkSums> sums_of(const ParkWindow& window) {
  std::map<ParkSite, ParkSums> sums;
  for (const auto& [site, seen] : window.sites) {
    ParkSums& to = sums[site_of(site)];
    to.count += seen.count;
    to.ns += seen.ns;
    to.begun_ns += seen.ns;
    to.max_ns = std::max(to.max_ns, std::uint64_t{seen.max_ns});
    to.queued += seen.queued;
    to.queued_ns += seen.queued_ns;
  }
  absl::flat_hash_map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> first_runs;
  for (const auto& [key, goroutine] : window.goroutines) {
    first_runs.emplace(std::pair(key.address, key.process), goroutine.first_run_ns);
    if (!goroutine.since_ns) continue;
    ParkSums& to = sums[site_of(goroutine.site)];
    std::uint64_t ns = from_to(goroutine.since_ns, window.end_of(goroutine.site.process));
    add_wait(to, ns);
    to.begun_ns += ns;
    ++to.count;
    ++to.still;
  }
  for (const SeenParked& seen : window.seen) {
    auto known = first_runs.find({seen.key.address, seen.key.process});
    bool stayed = known == first_runs.end();
    // One that ran before it was looked at may have parked, or even been born, since the window opened.
    if (!stayed && known->second <= seen.seen_ns) continue;
    ParkSums& to = sums[seen.site];
    add_wait(to, from_to(window.start_ns, stayed ? window.end_of(seen.site.process) : known->second));
    ++to.before;
    to.still += stayed;
  }
  return sums;
}

void ParkAccounts::add(const ParkWindow& window) {
  double length = static_cast<double>(std::max<std::uint64_t>(window.length_ns(), 1));
  for (auto& [site, sums] : sites_) sums.all.still = 0;
  for (const auto& [site, seen] : sums_of(window)) {
    Site& to = sites_[site];
    to.all.count += seen.count;
    to.all.ns += seen.ns;
    to.all.begun_ns += seen.begun_ns;
    to.all.max_ns = std::max(to.all.max_ns, seen.max_ns);
    to.all.queued += seen.queued;
    to.all.queued_ns += seen.queued_ns;
    to.all.still = seen.still;
    if (windows_ == 0) to.all.before = seen.before;
    to.count_squares += std::pow(static_cast<double>(seen.count), 2) / length;
    to.ns_squares += std::pow(static_cast<double>(seen.ns), 2) / length;
  }
  watched_ns_ += window.length_ns();
  ++windows_;
}

// How far the windows' rates lie apart, and at least as far as chance alone would have it.
double ParkAccounts::error_of(double sum, double squares, double least_variance, double gap) const {
  double watched = static_cast<double>(watched_ns_), rate = sum / watched;
  double between = windows_ > 1 ? (squares - rate * rate * watched) / static_cast<double>(windows_ - 1) : 0;
  return std::sqrt(std::max(between, least_variance) / watched * gap);
}

std::map<ParkSite, ParkFigures> ParkAccounts::figures(std::uint64_t elapsed_ns) const {
  std::map<ParkSite, ParkFigures> figures;
  double watched = static_cast<double>(watched_ns_), elapsed = static_cast<double>(elapsed_ns);
  double gap = elapsed > watched ? 1 - watched / elapsed : 0;
  bool everything = gap < kNoGap;
  double scale = everything ? 1 : elapsed / watched;
  for (const auto& [site, sums] : sites_) {
    double count = static_cast<double>(sums.all.count), ns = static_cast<double>(sums.all.ns);
    ParkFigures& f = figures[site];
    f.counted = sums.all.count;
    f.count = count * scale;
    f.ns = ns * scale;
    f.before = sums.all.before;
    f.still = sums.all.still;
    f.max_ns = sums.all.max_ns;
    f.queued = sums.all.queued;
    f.queued_ns = sums.all.queued_ns;
    if (everything) continue;
    double begun = static_cast<double>(sums.all.begun_ns), mean = begun / std::max(count, 1.0);
    f.count_error = error_of(count, sums.count_squares, count / watched, gap) * elapsed;
    f.ns_error = error_of(ns, sums.ns_squares, begun * mean / watched, gap) * elapsed;
    if (windows_ < 2) {  // one window tells nothing of what the others would have seen
      f.count_error = std::max(f.count_error, f.count);
      f.ns_error = std::max(f.ns_error, f.ns);
    }
  }
  return figures;
}

}  // namespace dwell
