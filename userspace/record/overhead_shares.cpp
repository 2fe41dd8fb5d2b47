// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/overhead_shares.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dwell {
namespace {

constexpr double kRemembersNs = 1e9;         // what a part used counts for about a second
constexpr double kLeastFirst = 0.1;          // of the budget is the first part's, whatever the others cost

}  // namespace

std::shared_ptr<OverheadShares::Part> OverheadShares::join(std::string name, double worth, double alone) {
  auto part = std::make_shared<Part>();
  part->name = std::move(name);
  part->worth = worth;
  part->alone = alone;
  parts_.push_back(part);
  costs_ns_.push_back(0);
  share_out();
  return part;
}

std::shared_ptr<OverheadShares::Part> OverheadShares::join_fixed(std::string name) {
  std::shared_ptr<Part> part = join(std::move(name), 0, 1);
  part->fixed = true;
  share_out();
  return part;
}

void OverheadShares::update(std::uint64_t now_ns, std::uint64_t target_cpu_ns) {
  std::uint64_t passed_ns = now_ns - std::exchange(updated_ns_, now_ns), cpu_ns = target_cpu_ns - std::min(cpu_ns_, target_cpu_ns);
  cpu_ns_ = target_cpu_ns;
  double earning_ns = std::max({static_cast<double>(cpu_ns), kIdleCpu * static_cast<double>(passed_ns), 1.0});
  double kept = known_ ? std::exp(-static_cast<double>(passed_ns) / kRemembersNs) : 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = *parts_[i];
    std::uint64_t cost_ns = part.cost_ns - std::min(costs_ns_[i], part.cost_ns);
    costs_ns_[i] = part.cost_ns;
    double now = static_cast<double>(cost_ns) / earning_ns;
    part.used = kept * part.used + (1 - kept) * now;
  }
  known_ = true;
  share_out();
}

void OverheadShares::share_out() {
  if (share_ <= 0) {
    for (auto& part : parts_) part->share = part->alone;
    return;
  }
  double worth = 0;
  Part* first = nullptr;
  for (auto& part : parts_) {
    if (part->fixed) continue;
    worth += part->worth;
    if (!first || part->worth > first->worth) first = part.get();
  }
  if (!first) return;
  auto sure = [&](const Part& part) { return share_ * part.worth / worth; };
  double left = share_;
  for (auto& part : parts_) {
    if (part.get() == first) continue;
    bool cannot_help_it = part->fixed || part->used > part->share;
    left -= cannot_help_it ? part->used : std::min(part->used, sure(*part));
  }
  first->share = std::max(left, kLeastFirst * share_);
  double spare = known_ ? std::max(0.0, sure(*first) - 2 * first->used) : 0, others = worth - first->worth;
  for (auto& part : parts_)
    if (part.get() != first) part->share = part->fixed ? 1 : sure(*part) + (others > 0 ? spare * part->worth / others : 0);
}

}  // namespace dwell
