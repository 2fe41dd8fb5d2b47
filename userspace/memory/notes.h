// SPDX-License-Identifier: Apache-2.0
// What a reader of figures must be told besides them: what was lost, and what that makes uncertain.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/recording/model.h"
#include "userspace/memory/report.h"
#include "userspace/memory/series_figures.h"

namespace dwell {

// The note that every recording of a running process has.
inline constexpr std::string_view kOlderHasNoCallSite = "memory allocated before dwell attached has no call site";

// All but whether the recording was cut off, which has a field of its own in the report.
std::vector<std::string> notes_of(const Recording& recording, const TickRange& range);

// By kind, in the order of LossKind. `mean_freed_size`: what a lost free is about worth.
std::vector<LossReport> losses_of(const Recording& recording, const TickRange& range, double mean_freed_size);

ChildReport children_of(const ChildCounts& counts);

Surprises surprises_in(const Recording& recording, const TickRange& range);

}  // namespace dwell
