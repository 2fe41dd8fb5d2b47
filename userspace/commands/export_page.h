// SPDX-License-Identifier: Apache-2.0
// `dwell export -f html`: all that a recording has, as one page.
#pragma once

#include "userspace/base/result.h"
#include "userspace/commands/options.h"
#include "userspace/recording/model.h"

namespace dwell {

// Whether that is the name of an HTML page.
bool is_page_name(const std::string& output);

// Whether the format that was asked for, or else the name of the output, is that of a page.
bool is_page(const ExportCommand& command);

Result<Exit> export_page(const ExportCommand& command, const Recording& recording);

}  // namespace dwell
