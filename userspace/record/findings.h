// SPDX-License-Identifier: Apache-2.0
// Finding: something that is wrong with a running process, as one snapshot shows it. Subjects find them; `dwell PID` lists
// them, the gravest first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

enum class FindingWeight : std::uint8_t {
  kStuck,   // work that can never go on
  kLimit,   // a limit is reached, or nearly
  kPileUp,  // something is not given back
  kWaste,   // memory or time without use
};
std::string_view name_of(FindingWeight weight);  // "stuck", "limit", "pile-up", "waste"

struct Finding {
  FindingWeight weight = FindingWeight::kWaste;
  bool proved = false;                // nothing but an end of the process changes it
  std::string headline;               // one sentence without a full stop
  std::vector<std::string> evidence;  // sentences
  std::string command;                // what to run to see more: "dwell threads 1234"
};

// What a subject has to say of a process.
struct Findings {
  std::string looked_at;  // what was seen, in a few words: "12 threads, 3 running"
  std::string not_seen;   // what could not be looked at, and why; "" if nothing is missing
  std::vector<Finding> findings;
};

}  // namespace dwell
