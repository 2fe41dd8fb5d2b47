// SPDX-License-Identifier: Apache-2.0
// The difference of two recordings as the HTML page explores it: call sites of both with their figures before
// and after.
#pragma once

#include <string>
#include <vector>

#include "ui/html_page.h"
#include "userspace/memory/page_paths.h"
#include "userspace/memory/report.h"

namespace dwell {

// `diff` has all its call sites (DiffRows::kAll). Adds the members "memory" and "difference", and the
// columns: frame_*, path_*, site_* as of a recording; and of each side before_* and after_*. `diff` is as it
// was afterwards. `sources`: folders that lines around call sites are read from; `remark`, of the second
// recording.
void add_difference(MemoryDiff& diff, HtmlPage& page, const std::vector<std::string>& sources = {},
                    const SourceRemark& remark = {});

}  // namespace dwell
