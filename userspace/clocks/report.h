// SPDX-License-Identifier: Apache-2.0
// From what was seen of clocks to what is shown: named, in order, judged.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/clocks/report_model.h"
#include "userspace/recording/model.h"
#include "userspace/clocks/look.h"

namespace dwell {

struct NamedStack {
  std::vector<ReportFrame> frames;  // leaf first
  std::string incomplete;           // why it ends where it does, if that is not its root
};
using StackNamer = std::function<NamedStack(StackId)>;

// Without verdicts, so that what only the caller knows can be added before.
ClocksReport clocks_report(const ClockLook& look, const StackNamer& name);

// Of `target_ns` of CPU time of the target; without what is not known.
void set_cost_percent(ClocksReport& report, double target_ns);

// Of a recording that was made with --clocks, verdicts included.
Result<ClocksReport> clocks_report(const Recording& recording);

}  // namespace dwell
