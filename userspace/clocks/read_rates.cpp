// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/read_rates.h"

#include <algorithm>
#include <cmath>

namespace dwell {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kNoGap = 1e-3;  // of the time: no more than the beginning and the end
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
  double slowed_here = 0;
  for (const auto& [thread, reads] : by_thread) slowed_here += reads;
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
    sums.reads_squares += one.reads * one.reads / length;
    if (slowed_here > 0) {
      double share = one.slowed / slowed_here;
      sums.shares += share;
      sums.share_squares += share * share;
    }
    slowed_ += one.slowed;
    slowed_scaled_ += one.slowed_scaled;
  }
  watched_ns_ += length_ns;
  ++slices_;
  if (slowed_here > 0) ++slowed_slices_;
}

double ReadRates::slowed_per_second() const {
  return watched_ns_ ? slowed_scaled_ * kNsPerSecond / static_cast<double>(watched_ns_) : 0;
}

void ReadRates::correct_slowed(double factor, double relative_error) {
  factor_ = factor;
  factor_error_ = relative_error;
}

std::map<ReadSite, ReadFigures> ReadRates::figures(std::uint64_t elapsed_ns) const {
  std::map<ReadSite, ReadFigures> figures;
  double watched = static_cast<double>(watched_ns_);
  double gap = elapsed_ns > watched_ns_ ? 1 - watched / static_cast<double>(elapsed_ns) : 0;
  bool everything = gap < kNoGap && slowed_ == 0;
  for (const auto& [site, sums] : sites_) {
    ReadFigures& f = figures[site];
    double slowed = sums.slowed_scaled;
    if (factor_ > 0 && slowed_ > 0) slowed = slowed_scaled_ * factor_ * sums.slowed / slowed_;
    f.counted = sums.counted;
    f.per_second = (sums.reads + slowed) * kNsPerSecond / watched;
    if (!everything) f.error = error_of(sums, slowed, gap);
  }
  return figures;
}

// One standard error, a second.
double ReadRates::error_of(const Sums& sums, double slowed, double gap) const {
  double watched = static_cast<double>(watched_ns_), slices = static_cast<double>(slices_);
  bool by_samples = factor_ > 0 && slowed_ > 0;
  // How far the rates of the slices lie apart; at least as far as chance alone would have it.
  double mean = (sums.reads + (by_samples ? 0 : sums.slowed_scaled)) / watched;
  double squares = by_samples ? sums.reads_squares : sums.squares;
  double variance = slices > 1 ? (squares - mean * mean * watched) / (slices - 1) : 0;
  double between = std::sqrt(std::max(variance, mean) / watched * gap);
  if (!by_samples) {
    double amplified = sums.slowed > 0 ? sums.slowed_scaled / sums.slowed - 1 : 0;
    double price = std::min(1.0, kPriceError * amplified) * slowed / watched;
    return std::hypot(between, price) * kNsPerSecond;
  }
  double n = static_cast<double>(slowed_slices_), share_mean = sums.shares / n;
  double share_error = share_mean < 1 ? 1 : 0;  // one slice tells nothing of the spread
  if (n > 1)
    share_error = std::sqrt(std::max(0.0, sums.share_squares - n * share_mean * share_mean) / (n - 1) / n);
  double all_slowed = slowed_scaled_ * factor_ / watched;
  return std::hypot(between, share_error * all_slowed, factor_error_ * slowed / watched) * kNsPerSecond;
}

}  // namespace dwell
