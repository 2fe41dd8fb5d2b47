// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/read_rates.h"

#include <algorithm>
#include <cmath>

namespace dwell {
namespace {

constexpr double kSecond = 1e9;
constexpr double kLeastLeft =
    0.02;  // of a slice; what is left beside the traps is not known better than that
constexpr double kPriceError = 0.05;  // of the price of a trap

double left_of(double length_ns, double reads, double trap_ns) {
  return std::max(length_ns - reads * trap_ns, kLeastLeft * length_ns);
}

}  // namespace

void ReadRates::add_slice(std::uint64_t length_ns,
                          const std::vector<std::pair<dwell_read_key, std::uint64_t>>& counted) {
  if (!length_ns) return;
  double length = static_cast<double>(length_ns);
  std::map<std::uint32_t, double> by_thread;
  for (const auto& [key, count] : counted)
    if (key.hot_tid) by_thread[key.hot_tid] += static_cast<double>(count);
  std::map<ReadSite, Sums> slice;
  for (const auto& [key, count] : counted) {
    Sums& site = slice[{key.stack, key.process, key.clock, key.call}];
    double reads = static_cast<double>(count);
    site.counted += count;
    if (!key.hot_tid) {
      site.reads += reads;
      continue;
    }
    site.slowed += reads;
    site.slowed_scaled += reads * length / left_of(length, by_thread[key.hot_tid], trap_ns_);
  }
  for (const auto& [site, one] : slice) {
    Sums& sums = sites_[site];
    sums.counted += one.counted;
    sums.reads += one.reads;
    sums.slowed += one.slowed;
    sums.slowed_scaled += one.slowed_scaled;
    double all = one.reads + one.slowed_scaled;
    sums.squares += all * all / length;
    slowed_ += one.slowed;
    slowed_scaled_ += one.slowed_scaled;
  }
  watched_ns_ += length_ns;
  ++slices_;
}

double ReadRates::slowed_per_second() const {
  return watched_ns_ ? slowed_scaled_ * kSecond / static_cast<double>(watched_ns_) : 0;
}

void ReadRates::correct_slowed(double factor, double relative_error) {
  factor_ = factor;
  factor_error_ = relative_error;
}

std::map<ReadSite, ReadFigures> ReadRates::figures(std::uint64_t elapsed_ns) const {
  std::map<ReadSite, ReadFigures> figures;
  double watched = static_cast<double>(watched_ns_);
  double gap = elapsed_ns > watched_ns_ ? 1 - watched / static_cast<double>(elapsed_ns) : 0;
  bool everything = gap < 1e-3 && slowed_ == 0;
  for (const auto& [site, sums] : sites_) {
    ReadFigures& f = figures[site];
    f.counted = sums.counted;
    double slowed = factor_ > 0 ? sums.slowed_scaled * factor_ : sums.slowed_scaled;
    double all = sums.reads + slowed;
    f.per_second = all * kSecond / watched;
    if (everything) continue;
    // Between the slices: how far their rates lie apart. And what a slowed thread would have done is not
    // known exactly.
    double mean = (sums.reads + sums.slowed_scaled) / watched;
    double variance =
        slices_ > 1 ? std::max(0.0, sums.squares - mean * mean * watched) / (static_cast<double>(slices_) - 1)
                    : mean;
    double between = std::sqrt(std::max(variance, mean) / watched * gap) * kSecond;
    double amplified = sums.slowed > 0 ? sums.slowed_scaled / sums.slowed - 1 : 0;
    double scaling =
        (factor_ > 0 ? factor_error_ : std::min(1.0, kPriceError * amplified)) * slowed * kSecond / watched;
    f.error = std::sqrt(between * between + scaling * scaling);
  }
  return figures;
}

}  // namespace dwell
