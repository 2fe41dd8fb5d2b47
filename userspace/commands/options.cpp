// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <sstream>

#include "userspace/commands/arguments.h"
#include "userspace/memory/report.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

constexpr const char* kExamples = R"(
EXAMPLES
  dwell record 1234 -d 60            watch process 1234 for a minute
  dwell record -- ./server --port 0  start a program and see its every allocation
  dwell report server.1234.dwell     what is retained, by call site
  dwell threads 1234                 what every thread waits for, now
)";
constexpr const char* kRecordExamples = R"(
EXAMPLES
  dwell record 1234                  until Ctrl-C, into NAME.1234.dwell
  dwell record redis-server -d 10m   the only process of that name, for ten minutes
  dwell record 1234 --blocked        threads, and for how long they were blocked, too
  dwell record -- ./server --port 0  from its first instruction
)";
constexpr const char* kReportExamples = R"(
EXAMPLES
  dwell report server.dwell                       what is retained, by call site
  dwell report server.dwell --from 30 --sort growth
  dwell report server.dwell --view threads:blocked
  dwell report server.dwell --json | jq .sites[0]
)";
constexpr const char* kExportExamples = R"(
EXAMPLES
  dwell export server.dwell -o server.html        all of it, to explore in a browser
  dwell export server.dwell -o server.svg         a flame graph of what is retained
  dwell export server.dwell -o server.pb.gz       for go tool pprof, and everything that reads its format
  dwell export server.dwell --view                the views that this recording has
  dwell export server.dwell --view memory:growing -o growth.svg
)";
constexpr const char* kDiffExamples = R"(
EXAMPLES
  dwell diff monday.dwell tuesday.dwell           what grew, by call site
  dwell diff before.dwell after.dwell -f svg -o growth.svg
  dwell diff before.dwell after.dwell --view go:heap
)";
constexpr const char* kThreadsExamples = R"(
EXAMPLES
  dwell threads 1234                              groups of threads, what they wait for, what is wrong
  dwell threads nginx --stuck-after 10s
  dwell threads 1234 --goroutines --prove         of a Go program: which goroutines can never wake
)";
constexpr const char* kMemoryExamples = R"(
EXAMPLES
  dwell memory 1234                               what RSS consists of: live, free inside malloc, stacks, files
  dwell memory redis-server --types               and what is in the live blocks
  dwell memory 1234 --leaks                       and which of them nothing points to any more
)";
constexpr const char* kClocksExamples = R"(
EXAMPLES
  dwell clocks 1234                               for five seconds
  dwell clocks 1234 -d 1m --json
)";
constexpr const char* kDoctorExamples = R"(
EXAMPLES
  dwell doctor                                    what this kernel allows, command by command
  dwell doctor 1234                               what can be seen of this process
)";

// Turns the text of an option into its value, or says what would be one.
template <typename T, typename Parse>
auto value_of(T& value, Parse parse, const char* what) {
  return [&value, parse, what](const std::string& text) {
    auto parsed = parse(text);
    if (!parsed) throw CLI::ValidationError("'" + text + "' is not " + what);
    value = *parsed;
  };
}

constexpr const char* kDebug = "Options for debugging dwell";

void add_verbose(CLI::App& app, bool& verbose) {
  app.add_flag("-v,--verbose", verbose, "show what libbpf says, and the verifier's whole log")->group(kDebug);
}

void add_max_memory(CLI::App& app, std::optional<std::uint64_t>& bytes, const char* help) {
  app.add_option_function<std::string>("--max-memory", value_of(bytes, parse_size, "a size like 500M, 2G"), help)
      ->type_name("SIZE");
}

// How many of something: no sign, no fraction.
void add_count(CLI::App& app, const std::string& names, std::size_t& count, const char* help) {
  auto parse = [](const std::string& text) -> std::optional<std::size_t> {
    std::size_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
  };
  app.add_option_function<std::string>(names, value_of(count, parse, "a number like 20"), help)->type_name("N");
}

// A process: its PID, or its name where only one is called so.
CLI::Option* add_target(CLI::App& app, std::string& target) {
  return app.add_option("-p,--pid,PROCESS", target, "its PID, or its name where only one process is called so");
}

// The filter takes effect only where something of it was given.
void add_filter(CLI::App& app, ViewFilter& filter) {
  const char* kGroup = "Filters";
  app.add_option_function<std::string>("--from", value_of(filter.from_ns, parse_duration, "a time like 90, 1.5s, 10m"),
                                       "only from this time on, since the start of the recording")
      ->type_name("TIME")
      ->group(kGroup);
  app.add_option_function<std::string>("--to", value_of(filter.to_ns, parse_duration, "a time like 90, 1.5s, 10m"),
                                       "only up to this time")
      ->type_name("TIME")
      ->group(kGroup);
  app.add_option("--site", filter.site, "only stacks with a function, file or module that matches this expression")
      ->type_name("REGEX")
      ->group(kGroup);
  app.add_option("--module", filter.module, "only stacks through a module whose path contains this")
      ->type_name("TEXT")
      ->group(kGroup);
  app.add_option("--kind", filter.kind, "only this kind of memory: heap, mapping, file, reserved")
      ->type_name("KIND")
      ->group(kGroup);
  app.add_option_function<std::uint32_t>("--thread", [&filter](std::uint32_t tid) { filter.thread = tid; },
                                         "only blocks that this thread asked for and that are still there")
      ->type_name("TID")
      ->group(kGroup);
  app.add_option_function<std::string>("--min", value_of(filter.min_bytes, parse_size, "a size like 4096, 64K, 1.5M"),
                                       "only sites with at least this much")
      ->type_name("SIZE")
      ->group(kGroup);
  app.add_option_function<std::string>(
         "--temporary", value_of(filter.temporary_ns, parse_duration, "a time like 1ms"),
         "a block freed before this age is temporary (default: 1ms)")
      ->type_name("TIME")
      ->group(kGroup);
}

// `--view` alone lists those that the recording has.
void add_view(CLI::App& app, ViewChoice& view, const char* otherwise) {
  app.add_option_function<std::vector<std::string>>(
         "--view",
         [&view](const std::vector<std::string>& given) {
           view.list = given.empty() || given[0].empty();
           if (view.list) return;
           Result<const View*> known = find_view(given[0]);
           if (!known) throw CLI::ValidationError("--view: " + known.error().what + "; " + known.error().hint);
           view.name = given[0];
         },
         std::string("a view by its name, memory:retained for one; without a name: list them (default: ") + otherwise + ")")
      ->expected(0, 1)
      ->type_name("VIEW");
}

class CliOptions : public OptionSet {
 public:
  explicit CliOptions(CLI::App& app) : app_(app) {}
  void flag(const std::string& name, bool& value, const std::string& help) override { app_.add_flag(name, value, help); }
  void flag_off(const std::string& name, bool& value, const std::string& help) override {
    app_.add_flag_callback(name, [&value] { value = false; }, help);
  }
  void exclude(const std::string& one, const std::string& other) override {
    app_.get_option(one)->excludes(app_.get_option(other));
  }

 private:
  CLI::App& app_;
};

// A limit in percent, where 0 is none.
std::optional<double> parse_limit(const std::string& text) {
  if (text == "0" || text == "0%") return 0.0;
  std::optional<double> share = parse_percent(text);
  return share ? std::optional(*share * 100) : std::nullopt;
}

void add_record(CLI::App& app, RecordCommand& command) {
  RecordOptions& options = command.options;
  add_target(app, command.target);
  app.add_option("-o,--output", options.output, "the recording (default: NAME.PID.dwell); one that stands there becomes FILE.old")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "-d,--duration", value_of(options.duration_ns, parse_duration, "a time like 90, 1.5s, 10m"),
         "end after this time (default: at Ctrl-C, or when the target ends)")
      ->type_name("TIME");
  app.add_option_function<std::string>(
         "--sample-bytes", value_of(options.sample_bytes, parse_size, "a size like 4096, 512K, 1M"),
         "look at one allocation in this many bytes, by chance; figures are scaled, and state their error (default: all)")
      ->type_name("SIZE");
  app.add_flag("--follow-forks", options.follow_forks, "record the processes that it forks too");
  CliOptions of_subjects(app);
  for (const std::shared_ptr<RecordPart>& part : command.parts) part->declare(of_subjects);
  app.add_option_function<std::string>(
         "--look-every", value_of(options.look_every_ns, parse_duration, "a time like 10, 1.5s, 1m"),
         "look at all its threads each time that this has passed, as dwell threads does, and at goroutines; implies --threads")
      ->type_name("TIME");
  app.add_flag_callback("--no-return-probes", [&options] { options.return_probes = false; },
                        "never change a return address, and probe return instructions instead, which is dearer: for programs "
                        "that walk their stack in signal handlers");
  app.add_flag_callback("--no-symbols", [&options] { options.symbols = false; },
                        "leave names to 'dwell symbolize', here or elsewhere");
  app.add_flag("-q,--quiet", command.quiet, "no live line, no summary");
  app.add_option_function<std::string>(
         "--detach-above",
         value_of(options.detach_above_percent, parse_limit, "a percentage like 90 or 50%; 0: never"),
         "end the recording when its probes took more than this of the target's CPU time for 5 s (default: 90%; 0: never)")
      ->type_name("PERCENT");
  app.add_option_function<std::string>("--buffer", value_of(options.ring_bytes, parse_size, "a size like 64M"),
                                       "of the ring buffer from the kernel (default: 64M)")
      ->type_name("SIZE")
      ->group(kDebug);
  app.add_option_function<std::string>(
         "--attach-method",
         value_of(options.attach_method,
                  [](const std::string& name) -> std::optional<AttachMethod> {
                    if (name == "session") return AttachMethod::kSession;
                    if (name == "multi") return AttachMethod::kMulti;
                    if (name == "perf") return AttachMethod::kPerf;
                    return std::nullopt;
                  },
                  "session, multi or perf"),
         "session, multi or perf (default: the best that works)")
      ->type_name("METHOD")
      ->group(kDebug);
  add_verbose(app, command.verbose);
  app.footer(kRecordExamples);
}

void add_report(CLI::App& app, ReportCommand& command) {
  app.add_option("FILE", command.path, "a recording");
  app.add_option_function<std::string>(
         "--sort", value_of(command.sort, [](const std::string& s) { return sort_key_named(s); },
                            "retained, blocks, growth, allocated, allocations, temporary, peak or age"),
         "retained (default), blocks, growth, allocated, allocations, temporary, peak, age")
      ->type_name("KEY");
  app.add_option_function<std::string>(
         "--group", value_of(command.group, [](const std::string& s) { return group_by_named(s); },
                             "stack, function or module"),
         "stack (default), function or module of the caller")
      ->type_name("BY");
  add_count(app, "-n,--sites", command.sites, "how many call sites (default: 20)");
  add_count(app, "--stacks", command.stacks, "how many of them with their stack (default: 5)");
  app.add_option("--only", command.only, "one subject alone, with everything that the recording has of it: " + subject_names())
      ->type_name("SUBJECT");
  add_view(app, command.view, "all that it has, by subject");
  app.add_flag("--json", command.json, "everything, as JSON: docs/report-json.md, docs/clocks.md");
  add_filter(app, command.filter);
  app.footer(kReportExamples);
}

void add_export(CLI::App& app, ExportCommand& command) {
  app.add_option("FILE", command.path, "a recording");
  app.add_option("-f,--format", command.format, "html, svg, folded, pprof or speedscope (default: by FILE's ending)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"html", "svg", "folded", "pprof", "speedscope"}));
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  app.add_option("--sample-type", command.sample_type,
                 "what svg and folded show, by its name in pprof: inuse_space, alloc_objects, ...")
      ->type_name("NAME");
  app.add_flag("--root-at-bottom", command.root_at_bottom, "svg: flames upwards");
  add_view(app, command.view, "memory:retained, or what a look was of");
  add_filter(app, command.filter);
  app.footer(kExportExamples);
}

void add_diff(CLI::App& app, DiffCommand& command) {
  app.add_option("BEFORE", command.before, "a recording")->required();
  app.add_option("AFTER", command.after, "a later one")->required();
  app.add_option("-f,--format", command.format, "text (default), json, svg, folded, pprof or speedscope")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "svg", "folded", "pprof", "speedscope"}));
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  add_count(app, "-n,--sites", command.sites, "how many call sites (default: 20)");
  add_view(app, command.view, "what is retained, with all its figures");
  add_filter(app, command.filter);
  app.footer(kDiffExamples);
}

void add_symbolize(CLI::App& app, SymbolizeCommand& command) {
  app.add_option("FILE", command.path, "a recording")->required();
  app.add_option("-o,--output", command.output, "default: the recording itself")->type_name("FILE");
  app.add_option("--debug-dir", command.debug_dirs, "where debug files are (default: /usr/lib/debug)")->type_name("DIR");
  app.add_option("--sysroot", command.sysroot, "where the recorded machine's files are")->type_name("DIR");
  app.add_option("--demangle", command.demangle, "short (default), full or none")
      ->type_name("STYLE")
      ->check(CLI::IsMember({"full", "short", "none"}));
  app.add_flag("--debuginfod", command.debuginfod, "ask the servers of DEBUGINFOD_URLS for what is missing");
  app.add_flag("-v,--verbose", command.verbose, "tell the source of each module's names");
}

void add_threads(CLI::App& app, ThreadsCommand& command) {
  SnapshotOptions& options = command.options;
  add_target(app, command.target)->required();
  auto* output = app.add_option("-o,--output", options.output, "keep the look as a recording, for dwell report and dwell export")
      ->type_name("FILE");
  app.add_option("--with", command.with, "a recording of its memory: where the locks were allocated")->type_name("FILE");
  add_count(app, "-n,--groups", command.groups, "how many groups of threads with their stack (default: 20)");
  app.add_option_function<std::string>(
         "--stuck-after", value_of(command.verdicts.stuck_after_ns, parse_duration, "a time like 90, 1.5s, 10m"),
         "a wait without a limit is odd from then on (default: 1m)")
      ->type_name("TIME");
  app.add_flag("-k,--kernel-stacks", options.kernel_stacks, "where in the kernel each thread waits, too");
  app.add_flag("--json", command.json, "every thread, as JSON: docs/report-json.md");
  const char* kGo = "Go programs";
  auto* goroutines = app.add_flag("--goroutines", command.goroutines,
                                  "its goroutines, not its threads; --json: docs/goroutines-json.md")
                         ->group(kGo);
  app.add_flag("--prove", command.prove,
               "which of them can never wake: copies what of the heap may hold pointers, twice; exit code 8 if there are any")
      ->needs(goroutines)
      ->group(kGo);
  app.add_flag("--heap", command.heap, "what its heap retains by call site, by its own profile, and what collecting it costs, too")
      ->needs(goroutines)
      ->group(kGo);
  app.add_flag("--timers", command.timers, "the timers and tickers that are pending, too; with --prove, which of them are useless; not with -o")
      ->needs(goroutines)
      ->excludes(output)
      ->group(kGo);
  app.add_flag("--contexts", command.contexts, "the contexts that are not cancelled, too; with --prove, which of them are lost; not with -o")
      ->needs(goroutines)
      ->excludes(output)
      ->group(kGo);
  app.add_flag("--runtime", command.runtime, "the runtime's own goroutines and calls, too")->needs(goroutines)->group(kGo);
  add_verbose(app, command.verbose);
  app.footer(kThreadsExamples);
}

// Nothing but 0 is no bound.
std::optional<std::uint64_t> parse_rate(const std::string& text) {
  return text == "0" ? std::uint64_t{0} : parse_size(text.ends_with("/s") ? text.substr(0, text.size() - 2) : text);
}

void add_memory(CLI::App& app, MemoryCommand& command) {
  add_target(app, command.target)->required();
  add_count(app, "-n,--rows", command.rows, "of each table (default: 10)");
  app.add_option_function<std::string>(
         "--max-read", value_of(command.options.max_read_per_s, parse_rate, "a rate like 500M/s, 2G; 0: as fast as it goes"),
         "of its memory, in a second (default: 1G/s)")
      ->type_name("SIZE");
  app.add_flag("--types", command.options.types, "what is in live blocks: C++ classes by name, text, pointers; no content is shown");
  app.add_flag("--leaks", command.leaks, "which live blocks nothing points to any more: reads all of the heap several times; exit code 8 if there are any");
  app.add_flag("--json", command.json, "everything, as JSON: docs/memory-look.md");
  app.footer(kMemoryExamples);
}

void add_clocks(CLI::App& app, ClocksCommand& command) {
  add_target(app, command.target)->required();
  app.add_option_function<std::string>("-d,--duration", value_of(command.options.duration_ns, parse_duration, "a time like 90, 1.5s, 10m"),
                                       "how long to look (default: 5s)")
      ->type_name("TIME");
  app.add_option_function<std::string>("--share", value_of(command.options.share, parse_percent, "a share like 2 or 0.5%, up to 100"),
                                       "of the target's time that counting reads may take; 100: count them all (default: 1%)")
      ->type_name("PERCENT");
  app.add_option_function<std::string>("--window", value_of(command.options.window_ns, parse_duration, "a time like 5ms"),
                                       "how long reads are counted at a time, at least (default: 5ms)")
      ->type_name("TIME");
  app.add_option("-f,--format", command.format, "text (default), json, svg, folded, pprof or speedscope")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "svg", "folded", "pprof", "speedscope"}));
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  app.add_option("--sample-type", command.sample_type, "what svg and folded show: reads (default), interval or waited")
      ->type_name("NAME");
  add_count(app, "-n,--sites", command.sites, "how many call sites (default: 20)");
  add_count(app, "--stacks", command.stacks, "how many of them with their stack (default: 3)");
  app.add_flag("--json", command.json, "the same as -f json: everything, docs/clocks.md");
  add_verbose(app, command.verbose);
  app.footer(kClocksExamples);
}

void add_doctor(CLI::App& app, DoctorCommand& command) {
  add_target(app, command.target);
  app.add_flag("--json", command.json, "as JSON");
  add_verbose(app, command.verbose);
  app.footer(kDoctorExamples);
}

}  // namespace

Command parse_command_line(int argc, char** argv) {
  CLI::App app{"dwell shows what stays in a running process: retained memory, by the call site that asked for it.\n"
               "It attaches with eBPF: nothing is changed, stopped or restarted."};
  app.name("dwell");
  app.set_version_flag("--version", std::string("dwell ") + DWELL_VERSION);
  app.footer(kExamples);
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);

  RecordCommand record;
  for (const Subject& subject : subjects())
    if (subject.record_part) record.parts.push_back(subject.record_part());
  ReportCommand report;
  ExportCommand export_;
  DiffCommand diff;
  SymbolizeCommand symbolize;
  ThreadsCommand threads;
  MemoryCommand memory;
  ClocksCommand clocks;
  DoctorCommand doctor;
  CLI::App* record_app = app.add_subcommand("record", "attach to a process, or start one, and write a recording");
  CLI::App* report_app = app.add_subcommand("report", "what stays, by call site");
  CLI::App* export_app = app.add_subcommand("export", "HTML page, flame graph, pprof, folded stacks, speedscope");
  CLI::App* diff_app = app.add_subcommand("diff", "what grew between two recordings");
  CLI::App* symbolize_app = app.add_subcommand("symbolize", "fill in names, on any machine with the debug files");
  CLI::App* threads_app = app.add_subcommand("threads", "one look at every thread, without stopping any: what it waits for, since when");
  CLI::App* memory_app = app.add_subcommand("memory", "one look at its memory, without a probe: what RSS consists of, and what is on its heap");
  CLI::App* clocks_app = app.add_subcommand("clocks", "who reads which clock, waits by which, and who moved them");
  CLI::App* doctor_app = app.add_subcommand("doctor", "what this kernel and a process allow, and what it costs");
  const char* kOfRecord = "that dwell may take; before it is reached, new stacks are cut, and then the recording is ended (default: a "
                          "quarter of what is free)";
  const char* kOfOthers = "that dwell may take (default: half of what is free)";
  add_max_memory(*record_app, record.max_memory, kOfRecord);
  add_max_memory(*report_app, report.max_memory, kOfOthers);
  add_max_memory(*export_app, export_.max_memory, kOfOthers);
  add_max_memory(*diff_app, diff.max_memory, kOfOthers);
  add_max_memory(*symbolize_app, symbolize.max_memory, kOfOthers);
  add_max_memory(*threads_app, threads.max_memory, kOfOthers);
  add_max_memory(*memory_app, memory.max_memory, kOfOthers);
  add_max_memory(*clocks_app, clocks.max_memory, kOfOthers);
  add_record(*record_app, record);
  add_report(*report_app, report);
  add_export(*export_app, export_);
  add_diff(*diff_app, diff);
  add_symbolize(*symbolize_app, symbolize);
  add_threads(*threads_app, threads);
  add_memory(*memory_app, memory);
  add_clocks(*clocks_app, clocks);
  add_doctor(*doctor_app, doctor);

  Arguments arguments = split_arguments(argc, argv);
  record.options.command = arguments.command;
  try {
    std::vector<std::string> reversed(arguments.options.rbegin(), arguments.options.rend());
    app.parse(reversed);
    if (arguments.has_command && !*record_app) throw CLI::ValidationError("only 'dwell record' starts a command");
    if (*record_app && record.target.empty() && record.options.command.empty())
      throw CLI::ValidationError("record what? Give a PID, or -- and a command to start");
    bool needs_file = (*report_app && !report.view.list) || (*export_app && !export_.view.list);
    if (needs_file && report.path.empty() && export_.path.empty())
      throw CLI::ValidationError("FILE is required: a recording, as dwell record writes it");
    if (!record.target.empty() && arguments.has_command)
      throw CLI::ValidationError("record one of them: a process, or a command to start");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return PrintAndExit{usage_error(app, error), static_cast<int>(Exit::kUsage)};
    std::ostringstream out, err;
    app.exit(error, out, err);
    return PrintAndExit{out.str(), 0};
  }
  std::string whole;
  for (int i = 0; i < argc; ++i) whole += (i ? " " : "") + std::string(argv[i]);
  record.options.command_line = threads.options.command_line = whole;
  if (*record_app) return record;
  if (*threads_app) return threads;
  if (*memory_app) return memory;
  if (*report_app) return report;
  if (*export_app) return export_;
  if (*diff_app) return diff;
  if (*symbolize_app) return symbolize;
  if (*clocks_app) return clocks;
  return doctor;
}

}  // namespace dwell
