// SPDX-License-Identifier: Apache-2.0
// The findings by what they are about. Each adds to report.findings; see findings.h.
#pragma once

#include "userspace/go/code/makers.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/goroutines/report.h"

namespace dwell {

// Goroutines that can never wake, locks that many wait for, responses that are open, pools that are used up. `sites` is asked
// for only where there is something to name.
class CodeOnDemand {
 public:
  explicit CodeOnDemand(const GoRuntime& runtime) : runtime_(runtime) {}
  const GoCallSites& sites() {
    if (!sites_) sites_ = GoCallSites::find(runtime_, maker_functions());
    return *sites_;
  }
  const GoRuntime& runtime() const { return runtime_; }

 private:
  const GoRuntime& runtime_;
  std::optional<GoCallSites> sites_;
};

void add_stuck(GoroutineReport& report);
void add_locks(const GoRuntime& runtime, GoroutineReport& report, FindingsOf what);
void add_responses(CodeOnDemand& code, GoroutineReport& report);
void add_pools(CodeOnDemand& code, GoroutineReport& report);
void add_library_pools(CodeOnDemand& code, GoroutineReport& report);
void add_contexts(CodeOnDemand& code, GoroutineReport& report);
void add_timers(CodeOnDemand& code, GoroutineReport& report);
void add_open_files(CodeOnDemand& code, GoroutineReport& report);
void add_holders(CodeOnDemand& code, GoroutineReport& report);
void add_collector(const GoRuntime& runtime, GoroutineReport& report);
void add_wall_reads(const GoRuntime& runtime, GoroutineReport& report);

}  // namespace dwell
