// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/trend.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace dwell {
namespace {

constexpr std::size_t kMostIntervals = 60, kFewestIntervals = 16;
constexpr std::uint64_t kShortestNs = 7'500'000'000;
constexpr double kSignificant = 3.3;  // of the test: one in two thousand by chance
constexpr std::size_t kTrendParts = 5;
constexpr double kLeastPart = 1.0 / 3;  // of the average part: what each part must add
constexpr double kSureOfSlope = 1.96;
// A straight line is broken where two lines leave so small a part of its squared errors.
constexpr double kBrokenLine = 0.35;

double median_of(std::vector<double>& values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

struct Intervals {
  std::vector<double> values;
  double length_ns = 0;
};

// The median of each interval; one without a point has the value of the one before.
Intervals gather(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  Intervals intervals;
  std::size_t count = std::min(kMostIntervals, values.size());
  std::uint64_t start = times_ns.front(), span = times_ns.back() - start;
  if (count < kFewestIntervals || span < kShortestNs) return intervals;
  intervals.length_ns = static_cast<double>(span) / static_cast<double>(count);
  std::vector<std::vector<double>> points(count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto at = static_cast<std::size_t>(static_cast<double>(times_ns[i] - start) / intervals.length_ns);
    points[std::min(at, count - 1)].push_back(values[i]);
  }
  for (std::vector<double>& some : points) intervals.values.push_back(some.empty() ? intervals.values.back() : median_of(some));
  return intervals;
}

std::vector<double> slopes_of(std::span<const double> values) {
  std::vector<double> slopes;
  slopes.reserve(values.size() * (values.size() - 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = i + 1; j < values.size(); ++j) slopes.push_back((values[j] - values[i]) / static_cast<double>(j - i));
  std::sort(slopes.begin(), slopes.end());
  return slopes;
}

double middle_of_sorted(const std::vector<double>& sorted) {
  std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Ranks from 1 on; equal values share the mean of theirs.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first + 1;
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = static_cast<double>(first + last + 1) / 2;
    first = last;
  }
  return ranks;
}

double autocorrelation(const std::vector<double>& values, std::size_t lag) {
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  double with = 0, all = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    all += (values[i] - mean) * (values[i] - mean);
    if (i + lag < values.size()) with += (values[i] - mean) * (values[i + lag] - mean);
  }
  return all > 0 ? with / all : 0;
}

// By how much correlation between neighbours makes the variance of the test larger: never less than 1.
double variance_factor(std::span<const double> values) {
  double n = static_cast<double>(values.size()), slope = middle_of_sorted(slopes_of(values));
  std::vector<double> rest(values.begin(), values.end());
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] -= slope * static_cast<double>(i);
  std::vector<double> ranks = ranks_of(rest);
  double sum = 0;
  for (std::size_t lag = 1; lag + 3 < values.size(); ++lag) {
    double k = static_cast<double>(lag), correlation = autocorrelation(ranks, lag);
    if (std::abs(correlation) < kSureOfSlope / std::sqrt(n)) continue;
    sum += (n - k) * (n - k - 1) * (n - k - 2) * correlation;
  }
  return std::max(1.0, 1 + 2 * sum / (n * (n - 1) * (n - 2)));
}

// Of the test's statistic, if there is no trend.
double variance_of_s(std::span<const double> values) {
  double n = static_cast<double>(values.size());
  double variance = n * (n - 1) * (2 * n + 5);
  std::map<double, double> ties;
  for (double value : values) ++ties[value];
  for (const auto& [value, times] : ties) variance -= times * (times - 1) * (2 * times + 5);
  return variance / 18 * variance_factor(values);
}

// The squared errors of the least squares line through values[from, to).
double line_errors(std::span<const double> values, std::size_t from, std::size_t to) {
  double n = static_cast<double>(to - from), sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (std::size_t i = from; i < to; ++i) {
    double x = static_cast<double>(i - from), y = values[i] - values[from];
    sx += x, sy += y, sxx += x * x, sxy += x * y, syy += y * y;
  }
  double dx = sxx - sx * sx / n, dxy = sxy - sx * sy / n, dyy = syy - sy * sy / n;
  return std::max(0.0, dx > 0 ? dyy - dxy * dxy / dx : dyy);
}

bool rises_throughout(std::span<const double> values) {
  double average = (values.back() - values.front()) / kTrendParts;
  if (average <= 0) return false;
  for (std::size_t part = 0; part < kTrendParts; ++part) {
    std::size_t from = part * (values.size() - 1) / kTrendParts, to = (part + 1) * (values.size() - 1) / kTrendParts;
    double grew = (values[to] - values[from]) * static_cast<double>(values.size() - 1) / kTrendParts / static_cast<double>(to - from);
    if (grew < average * kLeastPart || grew > average / kLeastPart) return false;
  }
  return true;
}

// A random walk goes as far as this by chance alone: its steps are compared with how much they differ.
bool is_no_walk(std::span<const double> values) {
  constexpr double kSteps = 10, kSure = 4.3;  // Student's t of nine degrees of freedom: one in a thousand
  double sum = 0, squares = 0;
  for (std::size_t step = 0; step < static_cast<std::size_t>(kSteps); ++step) {
    double from = static_cast<double>(step * (values.size() - 1)) / kSteps, to = static_cast<double>((step + 1) * (values.size() - 1)) / kSteps;
    double grew = values[static_cast<std::size_t>(to)] - values[static_cast<std::size_t>(from)];
    grew *= (to - from) / static_cast<double>(static_cast<std::size_t>(to) - static_cast<std::size_t>(from));
    sum += grew, squares += grew * grew;
  }
  double variance = (squares - sum * sum / kSteps) / (kSteps - 1);
  return sum > 0 && sum * sum / kSteps > kSure * kSure * variance;
}

// Growth that slows is on its way to end: the last two fifths add about as much as the first two.
bool goes_on(std::span<const double> values) {
  constexpr double kAsMuch = 0.65;
  std::size_t last = values.size() - 1, part = 2 * last / kTrendParts;
  return values[last] - values[last - part] >= kAsMuch * (values[part] - values[0]);
}

// What follows a break counts only if growth began there: what falls there, or grew before, comes and goes.
bool began_at(std::span<const double> values, std::size_t since) {
  constexpr double kSlower = 0.3;
  double before = middle_of_sorted(slopes_of(values.first(since))), after = middle_of_sorted(slopes_of(values.subspan(since)));
  return after > 0 && std::abs(before) <= kSlower * after && values[since] >= values[since - 1] - after;
}

}  // namespace

double mann_kendall_z(std::span<const double> values) {
  double s = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = i + 1; j < values.size(); ++j) s += (values[j] > values[i]) - (values[j] < values[i]);
  if (s == 0) return 0;
  double deviation = std::sqrt(variance_of_s(values));
  return deviation > 0 ? (s - (s > 0 ? 1 : -1)) / deviation : 0;
}

std::size_t change_point(std::span<const double> values) {
  std::size_t n = values.size(), best_at = 0;
  if (n < 2 * kFewestIntervals) return 0;
  double whole = line_errors(values, 0, n), best = whole * kBrokenLine;
  for (std::size_t at = n / 10 + 2; at + kFewestIntervals <= n; ++at) {
    double errors = line_errors(values, 0, at) + line_errors(values, at, n);
    if (errors < best) best = errors, best_at = at;
  }
  return best_at;
}

std::optional<SteadyTrend> steady_trend(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  if (times_ns.empty()) return std::nullopt;
  Intervals intervals = gather(times_ns, values);
  if (intervals.values.empty()) return std::nullopt;
  std::span<const double> series = intervals.values;
  std::size_t since = change_point(series);
  if (since && (!began_at(series, since) || static_cast<double>(series.size() - since) * intervals.length_ns < kShortestNs)) return std::nullopt;
  series = series.subspan(since);
  if (!goes_on(series) || !rises_throughout(series) || !is_no_walk(series) || mann_kendall_z(series) < kSignificant) return std::nullopt;
  std::vector<double> slopes = slopes_of(series);
  double all = static_cast<double>(slopes.size()), seconds = intervals.length_ns / 1e9;
  double spread = kSureOfSlope * std::sqrt(variance_of_s(series));
  auto ranked = [&](double rank) {
    return slopes[static_cast<std::size_t>(std::clamp(rank, 0.0, all - 1))] / seconds;
  };
  SteadyTrend trend{middle_of_sorted(slopes) / seconds, ranked((all - spread) / 2), ranked((all + spread) / 2 + 1), 0};
  trend.since_ns = times_ns.front() + static_cast<std::uint64_t>(static_cast<double>(since) * intervals.length_ns);
  if (trend.low <= 0) return std::nullopt;
  return trend;
}

}  // namespace dwell
