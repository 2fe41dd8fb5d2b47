// SPDX-License-Identifier: Apache-2.0
// Selection: which series a filter lets through.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/views/frames.h"
#include "userspace/memory/view.h"
#include "userspace/memory/series_figures.h"

namespace dwell {

struct Selection {
  std::vector<bool> in_scope;  // by series: of the kind and process that were asked for
  std::vector<bool> chosen;    // in scope, and its stack matches too
};

// Exit::kUsage if the filter's regular expression is none.
Result<Selection> select_series(const Recording& recording, const FrameTexts& texts, const MemoryFilter& filter);

// What one thread's blocks are, by series: only what is retained is known of a single thread.
// Exit::kUsage if the recording has no list of live blocks for the end of the range.
Result<std::vector<SeriesFigures>> figures_of_thread(const Recording& recording, const TickRange& range, Tid thread);

// What one live block stands for.
Sum sum_of_block(const Recording& recording, const LiveBlock& block);

}  // namespace dwell
