// SPDX-License-Identifier: Apache-2.0
// `dwell export -f html`: all that a recording has, as one page.
#pragma once

#include "userspace/base/result.h"
#include "userspace/commands/options.h"
#include "userspace/recording/model.h"

namespace dwell {

// Of the text that stands in a page.
inline constexpr std::size_t kPageTextRows = 20, kPageTextStacks = 5;

// Whether that is the name of an HTML page.
bool is_page_name(const std::string& output);

// Whether the format that was asked for, or else the name of the output, is that of a page.
bool is_page(const ExportCommand& command);

// The folders of --sources: they are there, and for a page. Exit::kUsage.
Result<void> check_sources(const std::vector<std::string>& folders, bool for_page);

Result<Exit> export_page(const ExportCommand& command, const Recording& recording);

}  // namespace dwell
