// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <new>

#include "ui/escape.h"
#include "ui/live_line.h"
#include "userspace/memory/subject.h"
#include "userspace/memory/summary_text.h"
#include "ui/text_style.h"
#include "userspace/base/memory_limit.h"
#include "userspace/base/text.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/collect/trace_core.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

constexpr std::size_t kSummarySites = 10, kSummaryStacks = 3, kSummaryOthers = 5;

LiveFigures figures_of(const RecordProgress& progress) {
  LiveFigures figures;
  if (progress.attaching) figures.activity = "attaching";
  figures.elapsed_ns = progress.elapsed_ns;
  figures.live_bytes = progress.live_bytes;
  figures.growth_per_minute = progress.growth_bytes_per_minute;
  figures.events_per_second = progress.events_per_second;
  figures.cost_percent = progress.cost_percent;
  figures.losses = progress.lost;
  figures.partial = progress.partial;
  return figures;
}

// A command that we started ends us as it ended, as `time` and `perf record` do.
// Figures that leave something out end us with a code of its own, unless that is wanted.
Exit exit_of(const RecordOutcome& outcome, bool partial_is_fine) {
  if (outcome.partial && !partial_is_fine) return Exit::kUnsupported;
  if (!outcome.child_status) return Exit::kOk;
  int status = *outcome.child_status;
  return static_cast<Exit>(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

Result<void> print_summary(const std::string& path, const Choice& follows, int fd);

// The recording is whole, whatever becomes of its summary.
Result<void> print_summary_if_memory_allows(const std::string& path, const Choice& follows, int fd) {
  Result<void> printed;
  try {
    printed = print_summary(path, follows, fd);
  } catch (const std::bad_alloc&) {
    printed = no_memory("summarize " + path);
  }
  if (printed || printed.error().exit == Exit::kOutput) return printed;
  fmt::print(stderr, "dwell: {}\n", printable(printed.error().what));
  return write_summary(fd, fmt::format("Saved {}. On a machine with more memory: dwell report {}\n", printable(path), printable(path)));
}

// What was asked for by name is told in full.
std::string sections_asked_for(const Recording& recording, const Choice& follows, const SectionStyle& how) {
  std::string text;
  for (const Subject& subject : subjects()) {
    auto chosen = follows.find(subject.name);
    if (chosen == follows.end() || !chosen->second.by_name) continue;
    for (auto section : {subject.before, subject.behind})
      if (section) text += section(recording, how, peers());
  }
  return text;
}

std::vector<std::string> last_lines(const std::string& path, const Recording& recording, const Choice& follows, const TextStyle& style) {
  std::vector<std::string> lines;
  if (std::string left_out = list_left_out(subjects(), follows, recording); !left_out.empty()) {
    std::string paragraph = style.paragraph(Paint::kDim, "Not recorded: " + left_out + ".");
    for (std::string_view line : split(paragraph, '\n'))
      if (!line.empty()) lines.emplace_back(line);
  }
  std::string name = printable(path), stem = name.ends_with(".dwell") ? name.substr(0, name.size() - 6) : name;
  lines.push_back(fmt::format("Saved {} ({}). Next:", name, human_bytes(static_cast<double>(recording.file_bytes))));
  lines.push_back(fmt::format("  dwell report {}", name));
  lines.push_back(fmt::format("  dwell export {} -o {}.html", name, stem));
  return lines;
}

Result<void> print_summary(const std::string& path, const Choice& follows, int fd) {
  Result<Recording> recording = read_recording(path);
  if (!recording) return recording.error();
  MemoryFilter filter;
  filter.by_program = true;
  Result<MemoryReport> report = memory_report(*recording, filter);
  if (!report) return report.error();
  SectionStyle how{text_style_of(fd), kSummarySites, kSummaryStacks};
  std::vector<std::string> end = last_lines(path, *recording, follows, how.style);
  std::string asked = sections_asked_for(*recording, follows, {how.style, kSummaryOthers, 0});
  SummaryTextOptions options{.style = how.style, .others = sentences_of(*recording), .followed = follows_memory(*recording)};
  if (asked.empty()) options.end = end;
  std::string text = summary_text(*report, options);
  if (!asked.empty()) {
    text += asked + "\n";
    for (const std::string& line : end) text += line + "\n";
  }
  return write_summary(fd, text);
}

}  // namespace

Result<Exit> run(const RecordCommand& command) {
  if (command.verbose) listen_to_libbpf(true);
  if (Result<void> started = start_parser(); !started) return started.error();
  set_run_time_counter(count_run_time_elsewhere);
  LiveLine line(STDERR_FILENO);
  RecordCallbacks callbacks;
  if (!command.quiet) {
    callbacks.started = [&](const std::string& message) { fmt::print(stderr, "{}; press Ctrl-C to stop\n", printable(message)); };
    callbacks.note = [&](const std::string& note) {
      line.clear();
      fmt::print(stderr, "note: {}\n", printable(note));
    };
    callbacks.progress = [&](const RecordProgress& progress) { line.show(figures_of(progress)); };
  }
  RecordOptions options = command.options;
  if (Result<void> chosen = choose_targets(command.targets, options); !chosen) return chosen.error();
  for (const Subject& subject : subjects()) {
    auto chosen = command.follows.find(subject.name);
    if (chosen == command.follows.end()) continue;
    for (TracerLoader& load : subject.tracers(chosen->second, options, peers())) options.tracers.push_back(std::move(load));
  }
  Result<RecordOutcome> outcome = record(options, callbacks);
  line.clear();
  if (!outcome) return outcome.error();
  if (outcome->gave_way) fmt::print(stderr, "dwell: stopped recording: {}\n", printable(outcome->end_reason));
  if (!command.quiet) {
    // Standard output is the program's own, if we started it.
    int fd = options.command.empty() ? STDOUT_FILENO : STDERR_FILENO;
    if (Result<void> printed = print_summary_if_memory_allows(outcome->path, command.follows, fd); !printed) return printed.error();
  }
  return exit_of(*outcome, command.partial);
}

}  // namespace dwell
