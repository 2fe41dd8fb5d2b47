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

// Of the CPU time that the program's threads wanted between the two, so much they had; 1 where that is not known. On a machine
// that is too busy a program collects less often than it would.
double had_of_wanted_cpu(const std::optional<WantedCpuTime>& first, const std::optional<WantedCpuTime>& last);
// How often it would collect with all of that, at most four times as often as it does.
double wanted_per_second(double per_second, double had);
// "the program had 21% of the CPU time that it wanted: with all of it that would be about 43 times a second"; "" if it had most.
std::string had_words(double per_second, double had);

// Who helps it, and who waits for it; "" if nobody was seen to.
std::string assist_words(const AssistGlances& assists);

// Whether the heap may grow beyond what its control group has left before it is collected, in words.
std::optional<std::string> beyond_group(const Collector& collector);

}  // namespace dwell
