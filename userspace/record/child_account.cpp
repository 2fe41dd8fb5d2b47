// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/child_account.h"

#include <fmt/core.h>

#include <algorithm>

namespace dwell {

void ChildAccount::followed(std::uint64_t late_ns) {
  ++counts_.followed;
  soonest_ns_ = std::min(soonest_ns_, late_ns);
  latest_ns_ = std::max(latest_ns_, late_ns);
}

void ChildAccount::failed(const std::string& why) {
  ++counts_.failed;
  if (first_failure_.empty()) first_failure_ = why;
}

std::vector<std::string> ChildAccount::summary() const {
  std::vector<std::string> notes;
  if (counts_.followed == 1)
    notes.push_back(fmt::format("the first {:.1f} ms of the child process that was followed were not recorded",
                                latest_ns_ / 1e6));
  if (counts_.followed > 1)
    notes.push_back(fmt::format("{} child processes were followed; of each the first {:.1f} to {:.1f} ms were not "
                                "recorded",
                                counts_.followed, soonest_ns_ / 1e6, latest_ns_ / 1e6));
  if (counts_.failed)
    notes.push_back(fmt::format("{} child process{} could not be followed: {}", counts_.failed,
                                counts_.failed == 1 ? "" : "es", first_failure_));
  return notes;
}

}  // namespace dwell
