// SPDX-License-Identifier: Apache-2.0
// One function for each command: does it, writes its output, and says how it went.
#pragma once

#include "ui/text_style.h"
#include "userspace/base/result.h"
#include "userspace/commands/options.h"
#include "userspace/recording/model.h"

namespace dwell {

Result<Exit> run(const RecordCommand& command);
Result<Exit> run(const TopCommand& command);
Result<Exit> run(const MarkCommand& command);
Result<Exit> run(const ReportCommand& command);
Result<Exit> run(const ExportCommand& command);
Result<Exit> run(const DiffCommand& command);
Result<Exit> run(const SymbolizeCommand& command);
Result<Exit> run(const SubjectCommand& command);
Result<Exit> run(const CheckCommand& command);
Result<Exit> run(const DoctorCommand& command);
Result<Exit> run(const PrintAndExit& command);

}  // namespace dwell
