// SPDX-License-Identifier: Apache-2.0
// The options of each command, as --help lists them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "userspace/commands/options.h"
#include "userspace/subjects/choice.h"

namespace dwell {

// What is put together only when the whole command line is known.
struct RecordWords {
  TargetChoice targets;
  FollowRequest follows;
};

// A process: its PID, or its name where only one is called so. Several where the command takes them.
CLI::Option* add_targets(CLI::App& app, std::vector<std::string>& targets, bool several);

// The same of a recording, which takes a tree, a name or a control group too.
void add_recorded(CLI::App& app, TargetChoice& targets);

void declare_record(CLI::App& app, RecordCommand& command, RecordWords& words);
void declare_top(CLI::App& app, TopCommand& command, RecordWords& words);
void declare_report(CLI::App& app, ReportCommand& command);
void declare_export(CLI::App& app, ExportCommand& command);
void declare_diff(CLI::App& app, DiffCommand& command);
void declare_symbolize(CLI::App& app, SymbolizeCommand& command);

inline constexpr const char* kOfOthers = "memory that dwell may use (default: half of what is free)";

}  // namespace dwell
