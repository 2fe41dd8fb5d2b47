// SPDX-License-Identifier: Apache-2.0
// Which call sites of Go programs made contexts, and which of those were not cancelled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/views/profile.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct GoContextRow {
  std::string kind;                // "cancel", "deadline", "after"
  std::string parents;             // "deadline < cancel < background"
  ReportStack stack;  // leaf first, from the function of package context on
  std::size_t own = 0;             // the first frame that is not of package context
  std::string incomplete;
  std::uint64_t made = 0, cancelled = 0, collected = 0, alive = 0;
  std::uint64_t oldest_ns = 0, lived_ns = 0, longest_ns = 0;

  // None was ever cancelled, though there was time to: the oldest is older than any that was.
  bool never_cancelled() const { return cancelled == 0 && alive + collected > 0; }
  // A parent that can be cancelled keeps a list of them, and so them, until it ends.
  bool kept_by_parent() const;
};

struct GoContextsReport {
  std::uint64_t duration_ns = 0, probe_hits = 0, trap_ns = 0, lost = 0, unknown = 0;
  KnownTime bpf_ns;
  std::vector<GoContextRow> rows;  // most alive first
  std::vector<std::string> notes;
};

// Of a recording that has them: Recording::go_contexts.
GoContextsReport go_contexts_report(RecordingRef recording);

// Sample types: alive, made. Labels: kind, parents.
Profile go_contexts_profile(const Recording& recording);

}  // namespace dwell
