// SPDX-License-Identifier: Apache-2.0
// Whether a call site leaks what it opens or takes, by when those were opened that stay, and how long the others lived. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/recording/lifetimes.h"

namespace dwell {

struct SiteHistory {
  std::uint64_t end_ns = 0;               // of what is known
  std::vector<std::uint64_t> opened_ns;   // when those were opened that are still open; in any order
  Lifetimes lifetimes;                    // of those that were closed
};

struct SiteLeak {
  std::size_t staying = 0;       // open for longer than nearly all others ever were
  std::uint64_t since_ns = 0;    // when the first of them was opened
  double per_minute = 0;         // opened, of those that stay
  std::uint64_t closed_within_ns = 0;  // 95 % of the others, and more; 0: there were none
};

// Told only if all of this holds: at least six stay, opened one by one or in small groups over 15 s or more, no slower towards the
// end, not most of them at the beginning, and of the others nearly all were closed long before they were as old. So a pool that is
// filled, a cache in equilibrium, and connections that are in use for a while are none.
std::optional<SiteLeak> find_leak(const SiteHistory& history);

// Below which a lifetime lies that this part of all lifetimes does not exceed; none: nothing was closed.
std::optional<std::uint64_t> lifetime_quantile(const Lifetimes& lifetimes, double part);

}  // namespace dwell
