// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/options.h"

#include <CLI/CLI.hpp>
#include <sstream>

namespace dwell {
namespace {

constexpr const char* kExamples = R"(
EXAMPLES
  dwell record -p 1234 -d 60         watch PID 1234 for a minute, write NAME.dwell
  dwell record -- ./server --port 0  start a program and see its every allocation
  dwell report server.dwell          what stays, by call site
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

void add_filter(CLI::App& app, MemoryFilter& filter) {
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
  app.add_option_function<std::string>(
         "--kind", value_of(filter.kind, [](const std::string& s) { return memory_kind_named(s); },
                            "heap, mapping, file or reserved"),
         "only this kind of memory: heap, mapping, file, reserved")
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

std::optional<MemoryView> view_named(const std::string& text) {
  constexpr std::string_view kPrefix = "memory:";
  bool prefixed = text.compare(0, kPrefix.size(), kPrefix) == 0;
  return memory_view_named(prefixed ? text.substr(kPrefix.size()) : text);
}

void add_view(CLI::App& app, MemoryView& view) {
  app.add_option_function<std::string>(
         "--view", value_of(view, view_named, "retained, growing, allocated, temporary, peak or all"),
         "retained (default), growing, allocated, temporary, peak, all")
      ->type_name("VIEW");
}

void add_export_view(CLI::App& app, ExportCommand& command) {
  auto choose = [&command](const std::string& text) {
    command.threads = text == "threads";
    command.thread_sites = text == "thread-sites";
    command.blocked = text == "blocked";
    command.go_blocked = text == "go-blocked";
    command.contexts = text == "contexts";
    command.clocks = text == "clocks";
    command.go = text == "goroutines" || text == "go-heap" || text == "go-mutex" || text == "go-block" ? text : "";
    if (!command.go.empty()) return;
    if (command.threads || command.thread_sites || command.blocked || command.go_blocked || command.contexts || command.clocks) return;
    value_of(command.view, view_named,
             "retained, growing, allocated, temporary, peak, all, threads, thread-sites, blocked, go-blocked, contexts, clocks, "
             "goroutines, go-heap, go-mutex or go-block")(text);
  };
  app.add_option_function<std::string>("--view", choose,
                                       "retained (default), growing, allocated, temporary, peak, all; threads: "
                                       "the last look at them; thread-sites: who created them; "
                                       "blocked: for how long they waited, and where; go-blocked: the same of goroutines; "
                                       "contexts: what --contexts recorded; clocks: what --clocks recorded; "
                                       "of a Go program, as its own profiles have it: goroutines, go-heap, go-mutex, go-block")
      ->type_name("VIEW");
}

// A limit in percent, where 0 is none.
std::optional<double> parse_limit(const std::string& text) {
  if (text == "0" || text == "0%") return 0.0;
  std::optional<double> share = parse_percent(text);
  return share ? std::optional(*share * 100) : std::nullopt;
}

void add_record(CLI::App& app, RecordCommand& command) {
  RecordOptions& options = command.options;
  auto* pid = app.add_option_function<pid_t>("-p,--pid", [&options](pid_t p) { options.pid = p; }, "attach to this process")
                  ->type_name("PID");
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
  app.add_flag("--threads", command.threads, "who creates threads, and what becomes of them, too");
  app.add_flag("--blocked", command.blocked, "for how long its threads are blocked, where, and who wakes them up; implies --threads");
  app.add_flag("--go-heap", command.go_heap,
               "what a Go program allocates and keeps, by samples: for those without a heap profile of their own");
  app.add_flag("--go-blocked", command.go_blocked,
               "for how long the goroutines of a Go program are parked, where and why, and who contends for its locks");
  app.add_option_function<std::string>(
         "--look-every", value_of(command.look_every_ns, parse_duration, "a time like 10, 1.5s, 1m"),
         "look at all its threads each time that this has passed, as dwell threads does, and at goroutines; implies --threads")
      ->type_name("TIME");
  const char* kGo = "Go programs";
  auto* no_go = app.add_flag_callback("--no-go", [&command] { command.go = false; },
                                      "leave out its goroutines, heap profile and collector (default: looked at each second, "
                                      "later each minute)")
                    ->group(kGo);
  app.add_flag("--prove", command.prove, "at the end, which goroutines can never wake: copies what of the heap may hold pointers")
      ->excludes(no_go)
      ->group(kGo);
  app.add_flag_callback("--no-mappings", [&command] { command.memory.mappings = false; },
                        "leave out mmap and brk, record the heap only");
  app.add_flag_callback("--no-return-probes", [&options] { options.return_probes = false; },
                        "never change a return address, and probe return instructions instead, which is dearer: for programs "
                        "that walk their stack in signal handlers");
  app.add_flag("--contexts", command.contexts,
               "which call sites of a Go program make contexts, and which of those are never cancelled");
  app.add_flag("--clocks", command.clocks, "record who reads which clock, waits by which, and who moves them, too");
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
  auto* program = app.add_option("COMMAND", options.command, "after --: start this program, held until the probes are in place");
  program->excludes(pid);
  app.positionals_at_end();
}

void add_report(CLI::App& app, ReportCommand& command) {
  app.add_option("FILE", command.path, "a recording")->required();
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
  app.add_option("-n,--sites", command.sites, "how many call sites (default: 20)")->type_name("N");
  app.add_option("--stacks", command.stacks, "how many of them with their stack (default: 5)")->type_name("N");
  app.add_flag("--clocks", command.clocks, "clocks, not memory, of a recording made with --clocks");
  app.add_flag("--threads", command.threads, "the last look at its threads, not memory, of a recording made with --look-every");
  app.add_flag("--json", command.json, "everything, as JSON: docs/report-json.md, docs/clocks.md");
  add_filter(app, command.filter);
}

void add_export(CLI::App& app, ExportCommand& command) {
  app.add_option("FILE", command.path, "a recording")->required();
  app.add_option("-f,--format", command.format, "svg, folded, pprof or speedscope (default: by FILE's ending)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"svg", "folded", "pprof", "speedscope"}));
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  app.add_option("--sample-type", command.sample_type,
                 "what svg and folded show, by its name in pprof: inuse_space, alloc_objects, ...")
      ->type_name("NAME");
  app.add_flag("--root-at-bottom", command.root_at_bottom, "svg: flames upwards");
  add_export_view(app, command);
  add_filter(app, command.filter);
}

void add_diff(CLI::App& app, DiffCommand& command) {
  app.add_option("BEFORE", command.before, "a recording")->required();
  app.add_option("AFTER", command.after, "a later one")->required();
  app.add_option("-f,--format", command.format, "text (default), json, svg, folded, pprof or speedscope")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "svg", "folded", "pprof", "speedscope"}));
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  app.add_option("-n,--sites", command.sites, "how many call sites (default: 20)")->type_name("N");
  add_view(app, command.view);
  add_filter(app, command.filter);
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
  app.add_option("-p,--pid", options.pid, "the process whose threads to look at")->type_name("PID")->required();
  auto* output = app.add_option("-o,--output", options.output, "keep the look as a recording, for dwell report and dwell export")
      ->type_name("FILE");
  app.add_option("--with", command.with, "a recording of its memory: where the locks were allocated")->type_name("FILE");
  app.add_option("-n,--groups", command.groups, "how many groups of threads with their stack (default: 20)")
      ->type_name("N");
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
}

void add_clocks(CLI::App& app, ClocksCommand& command) {
  app.add_option("-p,--pid", command.options.pid, "of a running process")->type_name("PID")->required();
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
  app.add_option("-n,--sites", command.sites, "how many call sites (default: 20)")->type_name("N");
  app.add_option("--stacks", command.stacks, "how many of them with their stack (default: 3)")->type_name("N");
  app.add_flag("--json", command.json, "the same as -f json: everything, docs/clocks.md");
  add_verbose(app, command.verbose);
}

void add_doctor(CLI::App& app, DoctorCommand& command) {
  app.add_option_function<pid_t>("-p,--pid", [&command](pid_t p) { command.pid = p; }, "what can be seen of this process")
      ->type_name("PID");
  app.add_flag("--json", command.json, "as JSON");
  add_verbose(app, command.verbose);
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
  ReportCommand report;
  ExportCommand export_;
  DiffCommand diff;
  SymbolizeCommand symbolize;
  ThreadsCommand threads;
  ClocksCommand clocks;
  DoctorCommand doctor;
  CLI::App* record_app = app.add_subcommand("record", "attach to a process, or start one, and write a recording");
  CLI::App* report_app = app.add_subcommand("report", "what stays, by call site");
  CLI::App* export_app = app.add_subcommand("export", "flame graph, pprof, folded stacks, speedscope");
  CLI::App* diff_app = app.add_subcommand("diff", "what grew between two recordings");
  CLI::App* symbolize_app = app.add_subcommand("symbolize", "fill in names, on any machine with the debug files");
  CLI::App* threads_app = app.add_subcommand("threads", "one look at every thread, without stopping any: what it waits for, since when");
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
  add_max_memory(*clocks_app, clocks.max_memory, kOfOthers);
  add_record(*record_app, record);
  add_report(*report_app, report);
  add_export(*export_app, export_);
  add_diff(*diff_app, diff);
  add_symbolize(*symbolize_app, symbolize);
  add_threads(*threads_app, threads);
  add_clocks(*clocks_app, clocks);
  add_doctor(*doctor_app, doctor);

  try {
    app.parse(argc, argv);
    if (*record_app && !record.options.pid && record.options.command.empty())
      throw CLI::ValidationError("record: which process? Give -p PID, or -- COMMAND ARGUMENTS");
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    int code = app.exit(error, out, err);
    return PrintAndExit{code ? err.str() : out.str(), code ? static_cast<int>(Exit::kUsage) : 0};
  }
  std::string whole;
  for (int i = 0; i < argc; ++i) whole += (i ? " " : "") + std::string(argv[i]);
  record.options.command_line = threads.options.command_line = whole;
  if (*record_app) return record;
  if (*threads_app) return threads;
  if (*report_app) return report;
  if (*export_app) return export_;
  if (*diff_app) return diff;
  if (*symbolize_app) return symbolize;
  if (*clocks_app) return clocks;
  return doctor;
}

}  // namespace dwell
