// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/findings.h"

#include <cstddef>

namespace dwell {

std::string_view name_of(FindingWeight weight) {
  static constexpr std::string_view kNames[] = {"stuck", "limit", "pile-up", "waste"};
  return kNames[static_cast<std::size_t>(weight)];
}

}  // namespace dwell
