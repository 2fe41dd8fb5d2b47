// SPDX-License-Identifier: Apache-2.0
// `dwell mark PROCESS|FILE`: a new generation of memory begins now, in a recording that goes on.
#include <fmt/core.h>
#include <sys/stat.h>

#include "ui/escape.h"
#include "userspace/base/text.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/process/find_process.h"
#include "userspace/record/marking.h"

namespace dwell {
namespace {

// A file, where one of that name is there and it is no number.
Result<std::vector<RunningRecorder>> recorders_of(const std::string& target) {
  struct stat file {};
  bool is_number = target.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number && ::stat(target.c_str(), &file) == 0 && S_ISREG(file.st_mode)) return recorders_of_file(target);
  Result<pid_t> pid = find_process(target);
  if (!pid) return pid.error();
  return recorders_of_process(*pid);
}

}  // namespace

Result<Exit> run(const MarkCommand& command) {
  Result<std::vector<RunningRecorder>> recorders = recorders_of(command.target);
  if (!recorders) return recorders.error();
  std::string text;
  for (const RunningRecorder& one : *recorders) {
    Result<SetMark> mark = ask_for_mark(one);
    if (!mark) return mark.error();
    text += fmt::format("Mark {}, {} after the start of {}\n", mark->number, human_duration(mark->since_start_ns), printable(one.path));
  }
  return printed(write_output("", text));
}

}  // namespace dwell
