// SPDX-License-Identifier: Apache-2.0
// What holds the blocks of a row of the report, from what the recording has of its series, and in words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

struct SiteHolding {
  double lost_share = 0;  // of the bytes that are retained: nothing leads there any more
  std::vector<std::pair<std::string, double>> by;  // the others: who leads there first, and to what share; the largest first
};

// None: it is not known, or nothing is left of them.
std::optional<SiteHolding> holding_of(const Recording& recording, std::span<const std::uint32_t> series);

// In a cell: "nothing: leaked", "sessions", "sessions and 2 more", "nothing (41 %: leaked)", "" where it is not known.
std::string holding_text(const std::optional<SiteHolding>& holding);
// In a sentence of its own, below a stack; "" where it is not known.
std::string holding_sentence(const std::optional<SiteHolding>& holding);

// What a report says of heaps as a whole: why nothing is known, and of leaks that are older than the recording.
std::vector<std::string> holding_notes(const Recording& recording);

}  // namespace dwell
