// SPDX-License-Identifier: Apache-2.0
// Who set a clock: what can be known of a process that may be gone in a moment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bpf/clocks.h"
#include "userspace/clocks/stack_book.h"
#include "userspace/clocks/step_ledger.h"
#include "userspace/clocks/look.h"

namespace dwell {

struct ClockAuthor {
  std::string container;           // "" if it is in none, or gone
  std::vector<ReportFrame> stack;  // of another process than the target: as far as frame pointers lead
};

ClockAuthor describe_author(const dwell_clock_set_record& record);

// The ledger's entries; `authors` are those of its calls, in order.
void add_steps(ClockLook& look, const StepLedger& ledger, const std::vector<ClockAuthor>& authors,
               const std::function<StackId(std::uint64_t identity)>& id_of);

}  // namespace dwell
