// SPDX-License-Identifier: Apache-2.0
// `dwell threads`, `dwell memory` and so on: a subject's look, at each of the processes that were named.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "ui/escape.h"
#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/process/find_process.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

class Looks {
 public:
  explicit Looks(const SubjectCommand& command) : command_(command), look_(command.subject->look) {}

  Result<Exit> run() {
    for (const std::string& target : command_.targets) {
      Result<LookAnswer> answer = look_at(target);
      if (!answer && !several()) return answer.error();
      Result<void> shown = answer ? show(*answer) : fail(target, answer.error());
      if (!shown) return shown.error();
      if (answer && answer->interrupted) break;
    }
    if (Result<void> ended = end(); !ended) return ended.error();
    if (!several() && problem_) return *problem_;
    return gravest_;
  }

 private:
  bool several() const { return command_.targets.size() > 1; }

  Result<LookAnswer> look_at(const std::string& target) {
    Result<pid_t> pid = find_process(target);
    if (!pid) return pid.error();
    LookRequest request;
    request.pid = *pid;
    request.json = command_.json;
    request.output = command_.output;
    bool to_file = look_.output == LookOutput::kContent && !command_.output.empty();
    request.style = to_file ? TextStyle{} : text_style_of(STDOUT_FILENO);
    request.command_line = command_.command_line;
    request.peers = &peers();
    request.say = [](const std::string& message) { fmt::print(stderr, "{}; press Ctrl-C to stop\n", printable(message)); };
    request.read_recording = [](const std::string& path) { return read_recording(path); };
    ReplacedFile replaced(look_.output == LookOutput::kRecording ? command_.output : "");
    Result<LookAnswer> answer = command_.part->look(request);
    if (answer) replaced.tell();
    if (answer && !command_.json && look_.with_others_in_short)
      for (const Subject& other : subjects())
        if (other.look.in_short) answer->content += other.look.in_short(*pid, request.style);
    return answer;
  }

  Result<void> show(const LookAnswer& answer) {
    gravest_ = std::max(gravest_, answer.problem ? answer.problem->exit : answer.exit);
    problem_ = answer.problem;
    if (several() && answer.problem) print_later(*answer.problem);
    std::string between = several() ? next() : "";
    return write_output(look_.output == LookOutput::kContent ? command_.output : "", between + answer.content);
  }

  // Of one of several: the others are shown all the same.
  Result<void> fail(const std::string& target, const Error& error) {
    gravest_ = std::max(gravest_, error.exit);
    print_later(error);
    if (!command_.json) return {};
    Json entry = {{"target", printable(target)}, {"error", printable(error.what)}, {"hint", printable(error.hint)},
                  {"exit", static_cast<int>(error.exit)}};
    return write_output("", next() + json_text(entry));
  }

  // What stands before one of several.
  std::string next() {
    bool first = !std::exchange(begun_, true);
    if (!command_.json) return first ? "" : "\n";
    return first ? fmt::format("{{\"format\": \"dwell looks\", \"version\": 1, \"subject\": \"{}\", \"processes\": [\n", command_.subject->name)
                 : ",\n";
  }

  Result<void> end() {
    if (command_.json && several()) {
      if (Result<void> ended = write_output("", begun_ ? "]}\n" : next() + "]}\n"); !ended) return ended;
    }
    return {};
  }

  // Standard output may be a pager's now, which has the terminal.
  void print_later(const Error& error) {
    say_at_end(error_text(error));
  }

  const SubjectCommand& command_;
  const LookCommand& look_;
  Exit gravest_ = Exit::kOk;
  std::optional<Error> problem_;
  bool begun_ = false;
};

}  // namespace

Result<Exit> run(const SubjectCommand& command) {
  if (command.verbose) listen_to_libbpf(true);
  if (command.subject->look.reads_files)
    if (Result<void> started = start_parser(); !started) return started.error();
  return Looks(command).run();
}

}  // namespace dwell
