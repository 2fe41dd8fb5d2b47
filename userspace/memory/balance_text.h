// SPDX-License-Identifier: Apache-2.0
// The balance of a process in a few sentences, the first of a report.
#pragma once

#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/memory/balance.h"

namespace dwell {

// "RSS +318.2 MB in 8.0 s, to 322.1 MB: +318.0 MB free inside the allocator, +3.1 KB live blocks, 0 B unexplained; malloc_trim(0)
// would give back about 290 MB." `of`: "" or " of worker (4243)".
std::string balance_sentence(const ProcessBalance& balance, const std::string& of);
// What follows it: why parts are not known, that the process ended, when a limit would be reached.
std::vector<std::string> balance_notes(const ProcessBalance& balance, const std::string& of);
// "  RSS ▁▁▂▃▅▇█  80.0 MB to 192.0 MB", between its lowest and its highest; "" with too few samples.
std::string process_curve(const ProcessBalance& balance, const TextStyle& style);

Json balance_json(const ProcessBalance& balance);

}  // namespace dwell
