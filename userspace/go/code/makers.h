// SPDX-License-Identifier: Apache-2.0
// Which lines of the program make what nobody ends: tickers, timers, contexts, responses, rows. From the calls in its code,
// narrowed by what is known of those that are there.
#pragma once

#include <string>
#include <vector>

#include "userspace/go/code/call_sites.h"
#include "userspace/go/contexts/report.h"
#include "userspace/go/timers/report.h"

namespace dwell {

// One or several lines, of which each could have been it.
struct GoMakers {
  std::vector<GoCall> places;   // in the order of the code, each line once
  std::string never_calls;      // "Rows.Close": what none of these functions calls; "": they do, or nothing is known
};

// All functions whose calls the makers are found by.
std::span<const std::string_view> maker_functions();

GoMakers makers_of_tickers(const GoCallSites& sites, std::uint64_t period_ns);
// `left_ns`: for how long the last of them is still pending.
GoMakers makers_of_timers(const GoCallSites& sites, std::uint64_t left_ns, std::uint64_t count);
// `group`: contexts that are alike; who waits for their end tells which function may have made them.
GoMakers makers_of_contexts(const GoCallSites& sites, const GoContextGroup& group);
GoMakers makers_of_responses(const GoCallSites& sites);
GoMakers makers_of_rows(const GoCallSites& sites);
GoMakers makers_of_files(const GoCallSites& sites);
// Of what `takes` take, and `gives`, called `name`, give back: lines whose function never does. Empty where the library has no such call.
GoMakers makers_who_keep(const GoCallSites& sites, std::span<const std::string_view> takes, std::span<const std::string_view> gives, std::string_view name);

// "at main.go:81 (main.openSession)", "at one of main.go:81 (..), server.go:7 (..)", "" if nothing is known.
std::string places_text(const GoMakers& makers);

}  // namespace dwell
