// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/leaks.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "userspace/base/time_units.h"

namespace dwell {
namespace {

constexpr std::size_t kFewestStaying = 6;          // openings, those at about the same time counted once
constexpr std::uint64_t kYoungestNs = 2 * kSecond;  // what is younger may be in use
constexpr std::uint64_t kShortestWindowNs = 15 * kSecond;
constexpr double kMostAsOld = 0.05;                // of those that stay: so many others may have lived as long
constexpr double kAtOnce = 1.0 / 50;               // of the window: openings within it count as one
constexpr double kLongestPause = 3;                // at the end: in average distances of the openings
// Openings may come earlier than at an even pace by so much (Kolmogorov and Smirnov's one-sided distance; 1 % of even ones do).
double most_too_early(std::size_t openings) { return std::max(0.15, 1.52 / std::sqrt(static_cast<double>(openings))); }

std::uint64_t as_old_as(const Lifetimes& lifetimes, std::uint64_t age_ns) {
  std::uint64_t count = 0;
  for (const auto& [bits, many] : lifetimes)
    if (bits >= std::bit_width(age_ns)) count += many;
  return count;
}

// Openings that come at once are one: a leak of ten a minute is as regular as one of one a minute.
std::vector<std::uint64_t> without_repeats(const std::vector<std::uint64_t>& times_ns, std::uint64_t window_ns) {
  std::vector<std::uint64_t> kept;
  auto distance = static_cast<std::uint64_t>(kAtOnce * static_cast<double>(window_ns));
  for (std::uint64_t time : times_ns)
    if (kept.empty() || time - kept.back() > distance) kept.push_back(time);
  return kept;
}

double distance_too_early(const std::vector<std::uint64_t>& times_ns, std::uint64_t window_ns) {
  double most = 0, count = static_cast<double>(times_ns.size());
  for (std::size_t i = 0; i < times_ns.size(); ++i) {
    double passed = static_cast<double>(times_ns[i] - times_ns.front()) / static_cast<double>(window_ns);
    most = std::max(most, static_cast<double>(i) / count - passed);
  }
  return most;
}

// Those open for `age_ns` and longer, in order.
std::optional<SiteLeak> leak_of(const SiteHistory& history, const std::vector<std::uint64_t>& sorted, std::uint64_t age_ns) {
  std::uint64_t until_ns = history.end_ns - age_ns;
  std::vector<std::uint64_t> staying(sorted.begin(), std::upper_bound(sorted.begin(), sorted.end(), until_ns));
  if (staying.size() < kFewestStaying) return std::nullopt;
  std::uint64_t window_ns = until_ns - staying.front();
  if (window_ns < kShortestWindowNs) return std::nullopt;
  if (static_cast<double>(as_old_as(history.lifetimes, age_ns)) > kMostAsOld * static_cast<double>(staying.size())) return std::nullopt;
  std::vector<std::uint64_t> openings = without_repeats(staying, window_ns);
  if (openings.size() < kFewestStaying) return std::nullopt;
  double average = static_cast<double>(window_ns) / static_cast<double>(openings.size());
  if (static_cast<double>(until_ns - openings.back()) > kLongestPause * average) return std::nullopt;
  if (distance_too_early(staying, window_ns) > most_too_early(openings.size())) return std::nullopt;
  double minutes = static_cast<double>(window_ns) / (60.0 * kSecond);
  return SiteLeak{staying.size(), staying.front(), static_cast<double>(staying.size()) / minutes, lifetime_quantile(history.lifetimes, 0.95).value_or(0)};
}

}  // namespace

std::optional<std::uint64_t> lifetime_quantile(const Lifetimes& lifetimes, double part) {
  std::uint64_t all = 0, seen = 0;
  for (const auto& [bits, count] : lifetimes) all += count;
  for (const auto& [bits, count] : lifetimes) {
    seen += count;
    if (static_cast<double>(seen) >= part * static_cast<double>(all)) return lifetime_bound(bits);
  }
  return std::nullopt;
}

std::optional<SiteLeak> find_leak(const SiteHistory& history) {
  std::vector<std::uint64_t> sorted = history.opened_ns;
  std::ranges::sort(sorted);
  if (sorted.size() < kFewestStaying) return std::nullopt;
  std::uint64_t known_ns = history.end_ns - std::min(history.end_ns, sorted.front());
  for (std::uint64_t age_ns = kYoungestNs; age_ns <= std::max(kYoungestNs, known_ns / 3) && age_ns < history.end_ns; age_ns *= 2)
    if (std::optional<SiteLeak> leak = leak_of(history, sorted, age_ns)) return leak;
  return std::nullopt;
}

}  // namespace dwell
