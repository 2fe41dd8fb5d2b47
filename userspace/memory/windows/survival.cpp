// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/survival.h"

#include <algorithm>
#include <cmath>

#include "userspace/base/time_units.h"

namespace dwell::memory::windows {
namespace {

constexpr double kLateUntilNs = 20e6;  // of age: so long the rate of the second half of the window is taken
constexpr std::uint64_t kOldNs = 100 * kMillisecond;
constexpr double kFewestDeaths = 3;

}  // namespace

std::size_t Survival::band_of(std::uint64_t age_ns) {
  auto age = static_cast<double>(age_ns);
  return static_cast<std::size_t>(std::upper_bound(kEdges.begin(), kEdges.end(), age) - kEdges.begin());
}

void Survival::saw_in_own_window(std::uint64_t age_ns, std::uint64_t window_ns, bool died) {
  double age = static_cast<double>(age_ns), half = static_cast<double>(window_ns) / 2;
  early_.ns += std::min(age, half);
  late_.ns += std::max(0.0, age - half);
  (age < half ? early_ : late_).deaths += died;
  half_ns_ += half;
  ++windows_;
}

void Survival::saw_in_later_window(std::uint64_t run_ns, std::uint64_t age_ns, std::uint64_t length_ns, bool died) {
  // One that died did so half-way, as far as is known.
  double ns = static_cast<double>(length_ns) * (died ? 0.5 : 1);
  Rate& band = bands_[band_of(age_ns)];
  band.ns += ns;
  band.deaths += died;
  if (age_ns < kOldNs) return;
  std::size_t second = run_ns / kSecond;
  if (by_second_.size() <= second) by_second_.resize(second + 1);
  by_second_[second].ns += ns;
  by_second_[second].deaths += died;
}

void Survival::saw_renewed(std::uint64_t length_ns, bool died) {
  renewed_.ns += static_cast<double>(length_ns) * (died ? 0.5 : 1);
  renewed_.deaths += died;
}

void Survival::watched(std::uint64_t ns, bool detected) {
  watched_.ns += static_cast<double>(ns);
  watched_.deaths += detected;
}

double Survival::old_deaths() const {
  double sum = 0;
  for (std::size_t i = 1; i < bands_.size(); ++i) sum += bands_[i].deaths;
  return sum;
}

double Survival::old_ns() const {
  double sum = 0;
  for (std::size_t i = 1; i < bands_.size(); ++i) sum += bands_[i].ns;
  return sum;
}

double Survival::cumulated(double age_ns) const {
  double half = windows_ > 0 ? half_ns_ / windows_ : 0;
  double sum = early_.per_ns() * std::min(age_ns, half);
  double from = half, rate = late_.per_ns();
  auto add = [&](double to) {
    if (age_ns > from) sum += rate * (std::min(age_ns, to) - from);
    from = std::max(from, to);
  };
  add(std::max(half, kLateUntilNs));
  for (std::size_t band = 0; band < bands_.size(); ++band) {
    if (bands_[band].ns > 0) rate = bands_[band].per_ns();  // an empty one takes the one before
    add(band < kEdges.size() ? kEdges[band] : age_ns);
  }
  return sum;
}

double Survival::hazard(std::uint64_t from_ns, std::uint64_t age_ns) const {
  return std::exp(cumulated(static_cast<double>(from_ns)) - cumulated(static_cast<double>(age_ns)));
}

Survival::Cure Survival::cure(std::uint64_t run_ns, double covered) const {
  Rate found;
  for (std::size_t second = run_ns / 2 / kSecond; second < by_second_.size(); ++second) {
    found.deaths += by_second_[second].deaths;
    found.ns += by_second_[second].ns;
  }
  double of_renewed = renewed_.deaths < kFewestDeaths ? 0 : renewed_.per_ns();
  double death = std::max(of_renewed, found.per_ns());
  Cure cure;
  if (death == 0) return cure;
  cure.reused = found.per_ns() / death;
  double detected = std::max(watched_.per_ns(), death * covered);
  cure.death = std::max(0.0, death - detected);
  if (found.deaths > 0) {
    double error = 2 * cure.reused * std::sqrt(1 / found.deaths + (renewed_.deaths > 0 ? 1 / renewed_.deaths : 1));
    cure.low = std::max(0.0, cure.reused - error);
    cure.high = std::min(1.0, cure.reused + error);
  } else {
    cure.high = found.ns > 0 ? std::min(1.0, 3 / (found.ns * death)) : 1;
  }
  return cure;
}

double Survival::Cure::lives(double share, std::uint64_t age_ns) const {
  return 1 - share + share * std::min(1.0, std::exp(-death * static_cast<double>(age_ns)));
}

}  // namespace dwell::memory::windows
