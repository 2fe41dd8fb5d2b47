// SPDX-License-Identifier: Apache-2.0
// What is said of the collector, of a look and of a recording. Pure.
#pragma once

#include <optional>
#include <string>

#include "userspace/go/heap/assists.h"
#include "userspace/go/record/look.h"

namespace dwell {

struct CollectorReason {
  bool at_limit = false;  // of GOMEMLIMIT: little may be allocated until it runs again
  std::string words;      // why it runs when it does; "": not known
};
CollectorReason reason_of(const Collector& collector);

// Who helps it, and who waits for it; "" if nobody was seen to.
std::string assist_words(const AssistGlances& assists);

// Whether the heap may grow beyond what its control group has left before it is collected, in words.
std::optional<std::string> beyond_group(const Collector& collector);

}  // namespace dwell
