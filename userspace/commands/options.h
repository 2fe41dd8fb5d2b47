// SPDX-License-Identifier: Apache-2.0
// The command line: what was asked for, as plain data. Knows CLI11, and nothing of what the commands do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "userspace/commands/targets.h"
#include "userspace/memory/report.h"
#include "userspace/record/record.h"
#include "userspace/record/subject.h"
#include "userspace/subjects/choice.h"
#include "userspace/views/filter.h"

namespace dwell {

// What was given to --view.
struct ViewChoice {
  std::string name;   // "": the default
  bool list = false;  // say which there are
};

struct RecordCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  TargetChoice targets;  // empty: options.command
  RecordOptions options;
  Choice follows;
  bool partial = false;  // what is not seen is no failure
  bool quiet = false;
  bool verbose = false;
};

// `dwell top`: a recording, and a screen.
struct TopCommand {
  RecordCommand record;              // whom, and how
  std::optional<std::size_t> count;  // refreshes; none: until it is ended
  std::uint64_t interval_ns = 5'000'000'000;
};

// `dwell mark`: in a recording that goes on.
struct MarkCommand {
  std::string target;  // a PID, a name, or the file that is written
};

struct ReportCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string path;
  std::string only;  // a subject by its name; "": all
  ViewChoice view;
  ViewFilter filter;
  SortKey sort = SortKey::kRetained;
  GroupBy group = GroupBy::kStack;
  std::size_t sites = 20;
  std::size_t stacks = 5;
  bool raw = false;  // all frames
  bool json = false;
  bool pager = true;
};

struct ExportCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string path;
  std::string output;  // "": standard output
  std::string format;  // "": by the ending of the output's name
  std::string sample_type;  // for formats that show one; "": bytes
  bool root_at_bottom = false;
  ViewChoice view;
  ViewFilter filter;
  std::vector<std::string> sources;  // folders that a page may show lines of
};

struct DiffCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string before, after;
  std::string output;
  std::string format;  // "": by the ending of the output's name, else text
  ViewChoice view;
  ViewFilter filter;
  std::size_t sites = 20;
  bool pager = true;
  std::vector<std::string> sources;  // folders that a page may show lines of
};

struct SymbolizeCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string path;
  std::string output;  // "": in place
  std::vector<std::string> debug_dirs;
  std::string sysroot;
  std::string demangle = "short";
  bool debuginfod = false;
  bool verbose = false;
};

// `dwell threads`, `dwell memory` and so on: the look of a subject, at one process or several.
struct SubjectCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  const Subject* subject = nullptr;
  std::shared_ptr<LookPart> part;    // with what was given to it
  std::vector<std::string> targets;  // PIDs or names
  std::string output;                // -o; "": none
  std::string command_line;
  bool json = false;
  bool pager = true;
  bool verbose = false;
};

// `dwell PID`: everything that a snapshot shows.
struct CheckCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string target;                       // a PID or a name
  std::string command_line;
  bool json = false;
  bool pager = true;
};

struct DoctorCommand {
  bool no_probes = false;  // what a recording would cost is not measured
  std::string target;  // a PID or a name; "": the kernel alone
  bool json = false;
  bool pager = true;
  bool verbose = false;
};

struct PrintAndExit {  // --help, --version, or a mistake on the command line
  std::string text;
  int exit = 0;
};

using Command = std::variant<RecordCommand, TopCommand, MarkCommand, ReportCommand, ExportCommand, DiffCommand, SymbolizeCommand,
                             SubjectCommand, CheckCommand, DoctorCommand, PrintAndExit>;

Command parse_command_line(int argc, char** argv);
// A report for people on a terminal, which goes through the pager.
bool wants_pager(const Command& command);

// "64K", "1.5M", "2G", "123": bytes. None if it is no such thing.
std::optional<std::uint64_t> parse_size(const std::string& text);
// "2", "2%", "0.5 %": the share 0.02 and so on; up to 100.
std::optional<double> parse_percent(const std::string& text);
// "90", "1.5s", "10m", "2h", "250ms": nanoseconds; a plain number is seconds.
std::optional<std::uint64_t> parse_duration(const std::string& text);

}  // namespace dwell
