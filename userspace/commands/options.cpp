// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <sstream>

#include "userspace/base/text.h"
#include "userspace/commands/arguments.h"
#include "userspace/commands/command_table.h"
#include "userspace/commands/declare.h"
#include "userspace/commands/option_set.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

void declare_look(CLI::App& app, SubjectCommand& command) {
  const LookCommand& look = command.subject->look;
  add_targets(app, command.targets, true)->required();
  CliOptions options(app);
  command.part->declare(options);
  if (look.output == LookOutput::kRecording)
    app.add_option("-o,--output", command.output, "save the snapshot as a recording, for dwell report and dwell export")->type_name("FILE");
  if (look.output == LookOutput::kContent)
    app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  app.add_flag("--json", command.json, "everything, as JSON: " + std::string(look.json_page));
  add_pager(app, command.pager);
  add_max_memory(app, command.max_memory, kOfOthers);
  if (look.uses_bpf) add_verbose(app, command.verbose);
  app.footer(examples_text(look.examples));
}

constexpr const char* kOneProcess = "a PID, or the name of a process if only one has it";

void declare_check(CLI::App& app, CheckCommand& command) {
  app.add_option("-p,--pid,PROCESS", command.target, kOneProcess)->type_name("")->required();
  app.add_flag("--json", command.json, "everything, as JSON: docs/overview.md");
  add_pager(app, command.pager);
  add_max_memory(app, command.max_memory, kOfOthers);
  app.footer(examples_text(words_of("check").examples));
}

void declare_mark(CLI::App& app, MarkCommand& command) {
  app.add_option("PROCESS", command.target, "the process that is recorded, or the file that is written")->type_name("")->required();
  app.footer(examples_text(words_of("mark").examples));
}

// `dwell 1234` is short for `dwell check 1234`.
bool is_pid(const std::string& word) { return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; }); }

// All commands, with what is given to them.
class CommandLine {
 public:
  CommandLine() : app_(std::string(words_of_dwell().sentence)) {
    app_.name("dwell");
    app_.set_version_flag("--version", std::string("dwell ") + DWELL_VERSION);
    app_.footer(examples_text(words_of_dwell().examples) + "\ndwell COMMAND --help has the options and examples of each.\n");
    app_.require_subcommand(1);
    constexpr std::size_t kHelpColumn = 28;
    app_.get_formatter()->column_width(kHelpColumn);
    declare_check(*add("check"), check_);
    declare_record(*add("record"), record_, words_);
    declare_top(*add("top"), top_, top_words_);
    declare_mark(*add("mark"), mark_);
    declare_report(*add("report"), report_);
    declare_export(*add("export"), export_);
    declare_diff(*add("diff"), diff_);
    for (const Subject& subject : subjects()) {
      if (!subject.look.make) continue;
      SubjectCommand& look = looks_.emplace_back();
      look.subject = &subject;
      look.part = subject.look.make();
      declare_look(*app_.add_subcommand(std::string(subject.name), std::string(subject.look.sentence)), look);
    }
    declare_symbolize(*add("symbolize"), symbolize_);
    CLI::App* doctor = add("doctor");
    add_targets(*doctor, doctor_targets_, false);
    doctor->add_flag("--no-probes", doctor_.no_probes, "do not measure what recording would cost: that takes probes, ten times for 5 ms");
    doctor->add_flag("--json", doctor_.json, "as JSON");
    add_pager(*doctor, doctor_.pager);
    add_verbose(*doctor, doctor_.verbose);
    doctor->footer(examples_text(words_of("doctor").examples));
  }

  Command parse(int argc, char** argv) {
    Arguments arguments = split_arguments(argc, argv);
    if (std::optional<PrintAndExit> help = asked_for_help(arguments)) return *help;
    if (!arguments.options.empty() && is_pid(arguments.options[0])) arguments.options.insert(arguments.options.begin(), "check");
    record_.options.command = arguments.command;
    std::string whole;
    for (int i = 0; i < argc; ++i) whole += (i ? " " : "") + std::string(argv[i]);
    record_.options.command_line = top_.record.options.command_line = whole;
    check_.command_line = whole;
    for (SubjectCommand& look : looks_) look.command_line = whole;
    try {
      std::vector<std::string> reversed(arguments.options.rbegin(), arguments.options.rend());
      app_.parse(reversed);
      check(arguments);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() != 0) return PrintAndExit{usage_error(app_, error), static_cast<int>(Exit::kUsage)};
      std::ostringstream out, err;
      app_.exit(error, out, err);
      return PrintAndExit{out.str(), 0};
    }
    return chosen();
  }

 private:
  CLI::App* add(std::string_view name) { return app_.add_subcommand(std::string(name), std::string(words_of(name).sentence)); }
  bool is(const char* command) const { return app_.got_subcommand(command); }

  // "dwell", "dwell help", "dwell help record".
  std::optional<PrintAndExit> asked_for_help(Arguments& arguments) {
    std::vector<std::string>& words = arguments.options;
    if (words.empty() && !arguments.has_command) return PrintAndExit{app_.help(), static_cast<int>(Exit::kUsage)};
    if (words.empty() || words[0] != "help") return std::nullopt;
    words.erase(words.begin());
    words.emplace_back("--help");
    return std::nullopt;
  }

  void check(const Arguments& arguments) {
    if (arguments.has_command && !is("record")) throw CLI::ValidationError("only 'dwell record' starts a command");
    bool needs_file = (is("report") && !report_.view.list) || (is("export") && !export_.view.list);
    if (needs_file && report_.path.empty() && export_.path.empty())
      throw CLI::ValidationError("FILE is required: a recording, as dwell record writes it");
    if (is("record")) check_record(arguments);
    if (is("top")) check_top();
    for (const SubjectCommand& look : looks_)
      if (is(look.subject->name.data())) check_look(look);
    if (doctor_targets_.size() > 1) throw CLI::ValidationError("dwell doctor takes one process");
  }

  void check_record(const Arguments& arguments) {
    if (words_.targets.empty() && record_.options.command.empty())
      throw CLI::ValidationError("record what? Give PIDs, a name or --cgroup, or -- and a command to start");
    if (!words_.targets.empty() && arguments.has_command)
      throw CLI::ValidationError("record one of them: a process, or a command to start");
    check_targets(words_.targets);
    check_cost(record_.options);
    Result<Choice> follows = choose(subjects(), words_.follows);
    if (!follows) throw CLI::ValidationError(follows.error().what + "; " + follows.error().hint);
    record_.follows = *follows;
    record_.targets = words_.targets;
  }

  static void check_targets(const TargetChoice& targets) {
    if (targets.children && targets.empty()) throw CLI::ValidationError("--children of which process? Give its PID");
  }

  void check_top() {
    top_.record.targets = top_words_.targets;
    if (top_words_.targets.empty()) throw CLI::ValidationError("top of what? Give PIDs, a name or --cgroup");
    check_targets(top_words_.targets);
    check_cost(top_.record.options);
    Result<Choice> follows = choose(subjects(), top_words_.follows);
    if (!follows) throw CLI::ValidationError(follows.error().what + "; " + follows.error().hint);
    top_.record.follows = *follows;
  }

  static void check_cost(const RecordOptions& options) {
    if (options.exact && (options.max_overhead_percent || options.sample_bytes))
      throw CLI::ValidationError("--exact records every allocation: leave out --max-overhead and --sample-bytes");
  }

  static void check_look(const SubjectCommand& look) {
    bool several = look.targets.size() > 1;
    if (several && !look.output.empty()) throw CLI::ValidationError("-o takes one process");
    std::string wrong = look.part->contradiction(look.output, several);
    if (!wrong.empty()) throw CLI::ValidationError(wrong);
  }

  Command chosen() {
    if (!doctor_targets_.empty()) doctor_.target = doctor_targets_[0];
    for (SubjectCommand& look : looks_)
      if (is(look.subject->name.data())) return look;
    if (is("check")) return check_;
    if (is("record")) return record_;
    if (is("top")) return top_;
    if (is("mark")) return mark_;
    if (is("report")) return report_;
    if (is("export")) return export_;
    if (is("diff")) return diff_;
    if (is("symbolize")) return symbolize_;
    return doctor_;
  }

  CLI::App app_;
  CheckCommand check_;
  RecordCommand record_;
  RecordWords words_;
  TopCommand top_;
  RecordWords top_words_;
  MarkCommand mark_;
  ReportCommand report_;
  ExportCommand export_;
  DiffCommand diff_;
  SymbolizeCommand symbolize_;
  std::deque<SubjectCommand> looks_;
  DoctorCommand doctor_;
  std::vector<std::string> doctor_targets_;
};

}  // namespace

CLI::Option* add_targets(CLI::App& app, std::vector<std::string>& targets, bool several) {
  auto take = [&targets](const std::vector<std::string>& given) {
    for (const std::string& list : given)
      for (std::string_view one : split(list, ','))
        if (!one.empty()) targets.emplace_back(one);
  };
  const char* help = several ? "PIDs, or the name of a process if only one has it" : kOneProcess;
  return app.add_option_function<std::vector<std::string>>("-p,--pid,PROCESS", take, help)->type_name("");
}

void add_recorded(CLI::App& app, TargetChoice& targets) {
  add_targets(app, targets.processes, true);
  app.add_flag("--children", targets.children, "also all processes below them: those that run, and those that will be forked");
  app.add_option("--name", targets.names, "all processes of this name, and those that they fork")->type_name("NAME")->allow_extra_args(false);
  app.add_option("--cgroup", targets.groups,
                 "all processes of a control group, now and later: its path, a systemd unit, or the id of a container (docker, podman, "
                 "containerd, Kubernetes) or its beginning")
      ->type_name("GROUP")
      ->allow_extra_args(false);
}

Command parse_command_line(int argc, char** argv) { return CommandLine().parse(argc, argv); }

bool wants_pager(const Command& command) {
  auto wants = [](const auto& asked) {
    if constexpr (requires { asked.pager; }) {
      bool shows_text = true;
      if constexpr (requires { asked.json; }) shows_text = !asked.json;
      if constexpr (requires { asked.format; }) shows_text = shows_text && (asked.format.empty() || asked.format == "text");
      if constexpr (requires { asked.output; }) {
        // What -o names: a recording beside the report, or the report itself.
        if constexpr (requires { asked.subject; })
          shows_text = shows_text && (asked.output.empty() || asked.subject->look.output == LookOutput::kRecording);
        else
          shows_text = shows_text && asked.output.empty();
      }
      return asked.pager && shows_text;
    }
    return false;
  };
  return std::visit(wants, command);
}

}  // namespace dwell
