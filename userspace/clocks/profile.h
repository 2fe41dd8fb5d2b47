// SPDX-License-Identifier: Apache-2.0
// A look at clocks as a profile that every exporter takes: sample types reads, interval and waited, labels
// clock and kind.
#pragma once

#include "userspace/views/profile.h"
#include "userspace/clocks/report_model.h"

namespace dwell {

Profile clocks_profile(const ClocksReport& report);

}  // namespace dwell
