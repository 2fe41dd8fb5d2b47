// SPDX-License-Identifier: Apache-2.0
#include "ui/lifetimes.h"

#include <optional>

#include "userspace/base/text.h"
#include "userspace/views/leaks.h"

namespace dwell {

std::string lifetime_text(const Lifetimes& lifetimes) {
  std::optional<std::uint64_t> bound = lifetime_quantile(lifetimes, 0.95);
  return bound ? "< " + human_duration(*bound) : "-";
}

Json lifetimes_json(const Lifetimes& lifetimes, const char* ended) {
  Json all = Json::array();
  for (const auto& [bits, count] : lifetimes) all.push_back({{"below_ns", lifetime_bound(bits)}, {ended, count}});
  return all;
}

}  // namespace dwell
