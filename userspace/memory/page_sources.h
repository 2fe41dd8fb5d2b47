// SPDX-License-Identifier: Apache-2.0
// Which excerpts of sources may not be what ran: those that were changed after the program was built, or
// after it was recorded.
#pragma once

#include "userspace/memory/page_paths.h"
#include "userspace/recording/model.h"

namespace dwell {

// When a module was built is known where its file is still here: one of its size, and no younger than the
// recording.
SourceRemark remark_of_sources(const Recording& recording);

}  // namespace dwell
