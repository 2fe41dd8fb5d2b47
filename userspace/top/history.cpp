// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/history.h"

#include <algorithm>

#include "userspace/views/growth.h"

namespace dwell::top {
namespace {

constexpr std::uint64_t kRecentNs = 60'000'000'000;
constexpr std::size_t kMostMoments = 256, kRecentMoments = 64;

std::optional<double> recent_slope(const std::vector<std::uint64_t>& times_ns, const std::vector<double>& values) {
  if (times_ns.empty()) return std::nullopt;
  std::uint64_t from_ns = times_ns.back() > kRecentNs ? times_ns.back() - kRecentNs : 0;
  auto first = std::ranges::lower_bound(times_ns, from_ns) - times_ns.begin();
  return slope_per_minute(std::span(times_ns).subspan(static_cast<std::size_t>(first)), std::span(values).subspan(static_cast<std::size_t>(first)));
}

}  // namespace

// Older moments lie farther apart, so that the whole time stays in sight.
void History::thin_out() {
  if (moments_.size() <= kMostMoments) return;
  std::vector<Moment> kept;
  std::size_t old = moments_.size() - kRecentMoments;
  for (std::size_t i = 0; i < moments_.size(); ++i)
    if (i >= old || i % 2 == 0) kept.push_back(std::move(moments_[i]));
  moments_ = std::move(kept);
}

std::optional<double> History::at_last_mark(const Model& model, std::uint64_t key) const {
  std::optional<double> live;
  for (const Moment& one : moments_) {
    if (one.time_ns > model.marks_ns.back()) break;
    auto found = one.by_key.find(key);
    live = found == one.by_key.end() ? 0 : found->second;
  }
  return live;
}

void History::follow(Model& model) {
  bool any = std::ranges::any_of(model.rows, [](const SiteRow& row) { return row.by_history; });
  if (!any) return;
  if (moments_.empty() || model.elapsed_ns > moments_.back().time_ns) {
    Moment& now = moments_.emplace_back(Moment{model.elapsed_ns, model.live, {}});
    for (const SiteRow& row : model.rows)
      if (row.by_history) now.by_key[row.key] = row.live;
    thin_out();
  }
  for (SiteRow& row : model.rows) {
    if (!row.by_history) continue;
    row.curve.clear(), row.curve_times_ns.clear();
    for (const Moment& one : moments_) {
      auto found = one.by_key.find(row.key);
      row.curve_times_ns.push_back(one.time_ns);
      row.curve.push_back(found == one.by_key.end() ? 0 : found->second);
    }
    row.rate = recent_slope(row.curve_times_ns, row.curve);
    if (model.marks_ns.empty()) continue;
    std::optional<double> then = at_last_mark(model, row.key);
    row.since_mark = then ? std::optional(row.live - *then) : std::nullopt;
  }
  std::vector<std::uint64_t> times_ns;
  std::vector<double> live;
  for (const Moment& one : moments_)
    if (one.live) times_ns.push_back(one.time_ns), live.push_back(*one.live);
  model.live_rate = recent_slope(times_ns, live);
}

}  // namespace dwell::top
