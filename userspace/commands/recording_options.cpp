// SPDX-License-Identifier: Apache-2.0
// The options of the commands that read recordings.
#include "userspace/commands/command_table.h"
#include "userspace/commands/declare.h"
#include "userspace/commands/option_set.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

void add_sources(CLI::App& app, std::vector<std::string>& folders) {
  app.add_option("--sources", folders,
                 "html: show the lines around each call site, of sources in this folder")
      ->type_name("DIR")
      ->allow_extra_args(false);
}

}  // namespace

void declare_report(CLI::App& app, ReportCommand& command) {
  app.add_option("FILE", command.path, "a recording");
  app.add_option_function<std::string>("--sort",
                                       value_of(command.sort, [](const std::string& s) { return sort_key_named(s); },
                                                "retained, blocks, growth, allocated, allocations, temporary, peak or age"),
                                       "retained (default), blocks, growth, allocated, allocations, temporary, peak, age")
      ->type_name("KEY");
  app.add_option_function<std::string>(
         "--group",
         value_of(
             command.group, [](const std::string& s) { return group_by_named(s); },
             "stack, function, file or module"),
         "by stack (default), or by function, file or module of the call site")
      ->type_name("BY");
  add_count(app, "-n,--sites", command.sites, "how many call sites to show (default: 20)");
  add_count(app, "--stacks", command.stacks, "how many of them with their stack (default: 5)");
  app.add_flag("--raw", command.raw, "show all frames, those of allocators, libraries and wrappers too");
  app.add_option("--only", command.only, "everything that the recording has of one subject: " + subject_names())->type_name("SUBJECT");
  add_view(app, command.view, "everything, by subject");
  app.add_flag("--json", command.json, "everything, as JSON: docs/report-json.md, docs/clocks.md");
  add_pager(app, command.pager);
  add_max_memory(app, command.max_memory, kOfOthers);
  add_filter(app, command.filter);
  add_process_filter(app, command.filter);
  app.footer(examples_text(words_of("report").examples));
}

void declare_export(CLI::App& app, ExportCommand& command) {
  app.add_option("FILE", command.path, "a recording");
  add_choice(app, "-f,--format", command.format, {"html", "svg", "folded", "pprof", "speedscope"}, "(default: by the ending of the output)");
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  app.add_option("--sample-type", command.sample_type, "what svg and folded show, by its name in pprof: inuse_space, alloc_objects, ...")
      ->type_name("NAME");
  add_sources(app, command.sources);
  app.add_flag("--root-at-bottom", command.root_at_bottom, "svg: flames upwards");
  add_view(app, command.view, "memory:retained, or what a look was of");
  add_max_memory(app, command.max_memory, kOfOthers);
  add_filter(app, command.filter);
  add_process_filter(app, command.filter);
  app.footer(examples_text(words_of("export").examples));
}

void declare_diff(CLI::App& app, DiffCommand& command) {
  app.add_option("BEFORE", command.before, "a recording")->required();
  app.add_option("AFTER", command.after, "a later one")->required();
  add_choice(app, "-f,--format", command.format,
             {"text", "json", "html", "svg", "folded", "pprof", "speedscope"},
             "(default: by the ending of the output, else text)");
  app.add_option("-o,--output", command.output, "default: standard output")->type_name("FILE");
  add_count(app, "-n,--sites", command.sites, "how many call sites to show (default: 20)");
  add_sources(app, command.sources);
  add_view(app, command.view, "what is retained, with all its figures");
  add_pager(app, command.pager);
  add_max_memory(app, command.max_memory, kOfOthers);
  add_filter(app, command.filter);
  app.footer(examples_text(words_of("diff").examples));
}

void declare_symbolize(CLI::App& app, SymbolizeCommand& command) {
  app.add_option("FILE", command.path, "a recording")->required();
  app.add_option("-o,--output", command.output, "default: the recording itself, replaced as a whole")->type_name("FILE");
  app.add_option("--debug-dir", command.debug_dirs, "where debug files are (default: /usr/lib/debug)")->type_name("DIR");
  app.add_option("--sysroot", command.sysroot, "where the recorded machine's files are")->type_name("DIR");
  add_choice(app, "--demangle", command.demangle, {"short", "full", "none"}, "(default: short)");
  app.add_flag("--debuginfod", command.debuginfod, "ask the servers of DEBUGINFOD_URLS for what is missing");
  app.add_flag("-v,--verbose", command.verbose, "print where the names of each module came from");
  add_max_memory(app, command.max_memory, kOfOthers);
  app.footer(examples_text(words_of("symbolize").examples));
}

}  // namespace dwell
