// SPDX-License-Identifier: Apache-2.0
// The parts of the header that are sentences: the limit, what recording costs, what is missing.
#pragma once

#include "userspace/memory/balance.h"
#include "userspace/memory/report.h"
#include "userspace/recording/model.h"
#include "userspace/top/model.h"

namespace dwell::top {

void add_limit(const ProcessBalance& balance, Model& model);
// Overhead, budget, losses, and how the recording ended if it has.
void add_notices(const Recording& recording, const MemoryReport& report, Model& model);

}  // namespace dwell::top
