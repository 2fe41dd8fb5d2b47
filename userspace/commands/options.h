// SPDX-License-Identifier: Apache-2.0
// The command line: what was asked for, as plain data. Knows CLI11, and nothing of what the commands do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "userspace/clocks/looker.h"
#include "userspace/record/record.h"
#include "userspace/record/subject.h"
#include "userspace/views/filter.h"
#include "userspace/threads/snapshot.h"
#include "userspace/memory/account/look.h"
#include "userspace/memory/report.h"
#include "userspace/threads/verdicts.h"

namespace dwell {

// What was given to --view.
struct ViewChoice {
  std::string name;   // "": the default
  bool list = false;  // say which there are
};

struct RecordCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string target;  // a PID or a name; "": options.command
  RecordOptions options;
  std::vector<std::shared_ptr<RecordPart>> parts;  // of the subjects, with what was given to each
  bool quiet = false;
  bool verbose = false;
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
  bool json = false;
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
};

struct DiffCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string before, after;
  std::string output;
  std::string format = "text";
  ViewChoice view;
  ViewFilter filter;
  std::size_t sites = 20;
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

struct ThreadsCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string target;       // a PID or a name
  SnapshotOptions options;
  VerdictOptions verdicts;
  std::size_t groups = 20;
  std::string with;         // a recording of the same process, for what it knows of its memory; "": none
  bool goroutines = false;  // of a Go program, instead of its threads
  bool prove = false;       // which of them can never wake
  bool heap = false;        // and what its heap retains
  bool timers = false;      // and the timers that are pending
  bool contexts = false;    // and the contexts that are not cancelled
  bool runtime = false;     // and those that its runtime keeps for itself
  bool json = false;
  bool verbose = false;
};

struct MemoryCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string target;  // a PID or a name
  memory::LookOptions options;
  bool leaks = false;  // and which blocks nothing points to
  std::size_t rows = 10;
  bool json = false;
};

struct ClocksCommand {
  std::optional<std::uint64_t> max_memory;  // bytes; none: a share of what is free
  std::string target;       // a PID or a name
  ClocksOptions options;
  std::string output;       // "": standard output
  std::string format;       // "": by the ending of the output's name, else text
  std::string sample_type;  // as in ExportCommand
  std::size_t sites = 20;
  std::size_t stacks = 3;
  bool json = false;
  bool verbose = false;
};

struct DoctorCommand {
  std::string target;  // a PID or a name; "": the kernel alone
  bool json = false;
  bool verbose = false;
};

struct PrintAndExit {  // --help, --version, or a mistake on the command line
  std::string text;
  int exit = 0;
};

using Command = std::variant<RecordCommand, ReportCommand, ExportCommand, DiffCommand, SymbolizeCommand,
                             ThreadsCommand, MemoryCommand, ClocksCommand, DoctorCommand,
                             PrintAndExit>;

Command parse_command_line(int argc, char** argv);

// "64K", "1.5M", "2G", "123": bytes. None if it is no such thing.
std::optional<std::uint64_t> parse_size(const std::string& text);
// "2", "2%", "0.5 %": the share 0.02 and so on; up to 100.
std::optional<double> parse_percent(const std::string& text);
// "90", "1.5s", "10m", "2h", "250ms": nanoseconds; a plain number is seconds.
std::optional<std::uint64_t> parse_duration(const std::string& text);

}  // namespace dwell
