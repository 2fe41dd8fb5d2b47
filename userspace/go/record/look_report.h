// SPDX-License-Identifier: Apache-2.0
// A look at a Go program as it was seen, from the recording that has it.
#pragma once

#include "userspace/go/goroutines/report.h"
#include "userspace/go/record/held.h"
#include "userspace/recording/model.h"

namespace dwell {

// Its profiles are the last up to the look; code addresses are not in it.
GoroutineReport report_of(const Recording& recording, const GoLook& look);

// What was seen together with it; null: nothing was asked for.
const GoHeld* held_at(const Recording& recording, const GoLook& look);

}  // namespace dwell
