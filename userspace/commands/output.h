// SPDX-License-Identifier: Apache-2.0
// Where a command's result goes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ui/export.h"
#include "userspace/base/result.h"
#include "userspace/base/text_sink.h"

namespace dwell {

// To a file, replaced at once or not at all; to standard output if `path` is "" or "-".
Result<void> write_output(const std::string& path, std::string_view content);
// The same of what `produce` gives piece by piece.
Result<void> write_output(const std::string& path, const std::function<void(const TextSink&)>& produce);

// The format that was asked for, else that of the file's name. pprof is refused on a terminal.
Result<ExportFormat> choose_format(const std::string& asked, const std::string& output);

}  // namespace dwell
