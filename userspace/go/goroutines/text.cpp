// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "ui/escape.h"
#include "userspace/go/contexts/text.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/goroutines/stuck_text.h"
#include "userspace/go/heap/text.h"
#include "userspace/go/timers/text.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr std::size_t kMostFrames = 64;

std::string count_of(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", grouped(static_cast<std::int64_t>(count)), count == 1 ? one : many);
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string place_of(const GoCall& call, bool whole_path) {
  if (call.file.empty()) return "";
  std::string_view file = whole_path ? std::string_view(call.file) : file_name(call.file);
  return call.line ? fmt::format("{}:{}", printable(file), call.line) : printable(file);
}

std::string waiters(std::uint32_t count, const char* one, const char* many) {
  return (count >= GoChannel::kMostWaiters ? "at least " : "") + count_of(count, one, many);
}

std::string channel_words(const GoChannel& channel, std::uint64_t now) {
  std::string name = fmt::format("{} 0x{:x}", channel.sends ? "send to" : "receive from", channel.address);
  if (channel.fires_at_ns)
    return fmt::format(
        "{}: a timer's, {}", name,
        *channel.fires_at_ns > now ? "in " + human_duration(*channel.fires_at_ns - now) : "due");
  std::string buffer =
      channel.capacity ? fmt::format("{} of {} buffered", channel.length, channel.capacity) : "unbuffered";
  return fmt::format("{}: {}{}, {} and {} wait", name, buffer, channel.closed ? ", closed" : "",
                     waiters(channel.receivers, "receiver", "receivers"),
                     waiters(channel.senders, "sender", "senders"));
}

std::string waiting_time(const GoroutineGroup& group) {
  if (!group.longest_wait_ns) return "-";
  return "≥ " + human_duration(*group.longest_wait_ns);
}

const char* stack_words(GoStackState state) {
  switch (state) {
    case GoStackState::kWhole:
      return "";
    case GoStackState::kRunning:
      return "it runs: its stack is not in memory";
    case GoStackState::kMoved:
      return "it ran while it was looked at, five times: no stack was taken";
    case GoStackState::kBroken:
      return "its stack could not be followed to where it begins";
    case GoStackState::kTooMany:
      return "one of more different stacks than can be told";
  }
  return "";
}

// What it means that they stand there, where the standard library's own code tells.
const char* meaning_of(const GoroutineGroup& group) {
  if (holds_open_response(group))
    return "each holds an HTTP response whose body is neither read to its end nor closed, and its connection";
  return "";
}

std::string prospect_words(const GoroutineGroup& group) {
  return group.stuck ? "never wakes: " : group.abandoned ? "for lost contexts: " : "";
}

class Writer {
 public:
  Writer(const GoroutineReport& report, const GoroutinesTextOptions& options)
      : report_(report), options_(options), style_(options.style) {
    for (const GoroutineGroup& group : report.groups) {
      if (group.of_runtime && !options.runtime) {
        hidden_ += group.count;
      } else {
        groups_.push_back(&group);
      }
    }
  }

  std::string write() {
    write_header();
    out_ += findings_text(report_.findings, style_);
    write_verdict();
    write_table();
    for (std::size_t i = 0; i < std::min(groups_.size(), options_.stacks); ++i) write_group(i);
    write_figures();
    if (report_.timers)
      out_ += timers_text(*report_.timers,
                          {style_, options_.groups, report_.time_monotonic_ns, options_.runtime});
    if (report_.contexts)
      out_ += contexts_text(*report_.contexts, {style_, options_.groups, report_.time_monotonic_ns});
    if (report_.collector) out_ += collector_text(*report_.collector, style_);
    if (report_.heap && report_.collector && report_.collector->cycles == 0)
      out_ += "\n" + style_.paragraph(Paint::kPlain, "Heap by call site: no collection has ended yet, and the program's "
                                                     "own profile is as of the last one.");
    else if (report_.heap)
      out_ += heap_profile_text(*report_.heap, options_.groups, style_);
    if (!report_.holders.empty()) out_ += holders_text(report_.holders, report_.reached_bytes, options_.groups, style_);
    for (const ContentionProfile& profile : report_.contention)
      out_ += contention_text(profile, options_.groups, style_);
    for (const std::string& part : report_.not_seen)
      out_ += "\n" + style_.paragraph(Paint::kWarning, "Not seen: " + printable(part) + ".");
    if (!report_.no_heap.empty())
      out_ += "\n" + style_.paragraph(Paint::kWarning, printable(report_.no_heap) + ".");
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }

  void write_header() {
    line(Paint::kStrong, fmt::format("{} ({}): {} in {}, {}", printable(report_.program), report_.pid,
                                     count_of(report_.figures.alive, "goroutine", "goroutines"),
                                     count_of(report_.groups.size(), "stack", "different stacks"),
                                     printable(report_.go_version)));
    line(Paint::kDim, "  " + printable(report_.command_line));
    line(Paint::kDim, fmt::format("  {}, seen in {} from outside",
                                  utc_time(static_cast<std::int64_t>(report_.time_unix_ns)),
                                  human_duration(report_.look_ns)));
    if (!report_.note.empty()) line(Paint::kWarning, "Note: " + printable(report_.note));
    std::map<std::string, std::uint64_t> states;
    for (const GoroutineGroup* group : groups_) states[group->state] += group->count;
    std::vector<std::pair<std::uint64_t, std::string>> sorted;
    for (const auto& [state, count] : states) sorted.emplace_back(count, state);
    std::sort(sorted.rbegin(), sorted.rend());
    std::string words;
    for (const auto& [count, state] : sorted)
      words += fmt::format("{}{} {}", words.empty() ? "" : " · ", grouped(static_cast<std::int64_t>(count)),
                           printable(state));
    line(Paint::kPlain, words);
    out_ += "\n";
  }

  void write_verdict() {
    if (!report_.stuck) return;
    StuckFigures figures = figures_of(*report_.stuck);
    // What is not shown needs no reservation.
    if (!report_.stuck->any_stuck() && !report_.timers && !report_.contexts) figures.reservation.clear();
    out_ += stuck_text(figures, style_);
    out_ += "\n";
  }

  void write_table() {
    TextTable table({{"#"}, {"count"}, {"state"}, {"waits for", 2}, {"call site"}});
    std::size_t width = table.last_column_width(style_);
    std::uint64_t more = 0;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const GoroutineGroup& group = *groups_[i];
      if (i >= options_.groups) {
        more += group.count;
        continue;
      }
      std::string site;
      if (const GoCall* call = own_call(group.calls))
        site = fmt::format("{} ({})", printable(call->function), place_of(*call, false));
      if (site.empty()) site = "started by " + printable(group.creator.function);
      if (!group.creator.function.empty() && !group.calls.empty())
        site +=
            fmt::format(" ← go {} ({})", printable(group.creator.function), place_of(group.creator, false));
      table.add({{std::to_string(i + 1)},
                 {grouped(static_cast<std::int64_t>(group.count))},
                 {prospect_words(group) + printable(group.state),
                  group.stuck || group.abandoned ? Paint::kWarning : Paint::kPlain},
                 {waiting_time(group)},
                 {width ? cut_end(site, width) : site}});
    }
    if (more)
      table.add({{""},
                 {grouped(static_cast<std::int64_t>(more))},
                 {""},
                 {"-"},
                 {fmt::format("{} stacks not shown", groups_.size() - options_.groups)}});
    out_ += table.write(style_);
  }

  void write_group(std::size_t index) {
    const GoroutineGroup& group = *groups_[index];
    std::string head = fmt::format("#{}  {}, {}", index + 1, count_of(group.count, "goroutine", "goroutines"),
                                   printable(group.state) + (group.stuck       ? ", can never wake"
                                                              : group.abandoned ? ", only for lost contexts"
                                                                                : ""));
    if (group.longest_wait_ns) {
      head += fmt::format(", for at least {}", human_duration(*group.longest_wait_ns));
      if (group.count > 1 && group.shortest_wait_ns)
        head += fmt::format(" (the last for {})", human_duration(*group.shortest_wait_ns));
    }
    out_ += "\n" + style_.paragraph(Paint::kStrong, head);
    write_stack(group);
    if (const char* meaning = meaning_of(group); *meaning)
      out_ += style_.paragraph(Paint::kWarning, fmt::format("    {}", meaning), 8);
    write_waits(group);
    write_examples(group);
  }

  void write_frame(const std::string& name, const GoCall& call, std::size_t times) {
    std::string text =
        fmt::format("      {}{}  {}{}{}", name, printable(call.function), place_of(call, true),
                    call.inlined ? " (inlined)" : "", times > 1 ? fmt::format("  × {}", times) : "");
    out_ += (style_.columns ? cut_middle(text, style_.columns) : text) + "\n";
  }

  void write_stack(const GoroutineGroup& group) {
    if (const char* words = stack_words(group.stack_state); *words)
      line(Paint::kDim, fmt::format("      {}", words));
    std::size_t written = 0, left_out = 0;
    for (std::size_t i = 0, times = 1; i < group.calls.size(); i += times, times = 1) {
      const GoCall& call = group.calls[i];
      if (call.hidden && !options_.runtime) continue;
      auto same = [&](const GoCall& other) {
        return other.function == call.function && other.line == call.line;
      };
      while (i + times < group.calls.size() && same(group.calls[i + times])) ++times;
      if (written++ < kMostFrames) {
        write_frame("", call, times);
      } else {
        left_out += times;
      }
    }
    if (left_out) line(Paint::kDim, fmt::format("      … {} more", left_out));
    if (!group.creator.function.empty()) write_frame("created by ", group.creator, 1);
  }

  // What the examples wait for, equal ones together.
  void write_waits(const GoroutineGroup& group) {
    std::vector<std::pair<std::string, std::size_t>> lines;
    for (const GoroutineExample& example : group.examples) {
      std::string words = wait_words(example.wait, report_.time_monotonic_ns);
      if (words.empty()) continue;
      auto same = [&](const auto& other) { return other.first == words; };
      auto found = std::find_if(lines.begin(), lines.end(), same);
      if (found == lines.end()) {
        lines.emplace_back(words, 1);
      } else {
        ++found->second;
      }
    }
    constexpr std::size_t kMostLines = 4;
    for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) {
      std::string times =
          group.examples.size() == 1 ? ""
          : group.count > group.examples.size()
              ? fmt::format(" ({} of the {} looked at closely)", lines[i].second, group.examples.size())
              : fmt::format(" ({} of them)", lines[i].second);
      if (lines.size() == 1 && group.count <= group.examples.size()) times.clear();
      out_ += style_.paragraph(Paint::kPlain, fmt::format("    {}{}", printable(lines[i].first), times), 8);
    }
    if (lines.size() > kMostLines)
      line(Paint::kDim, fmt::format("    … and {} others", lines.size() - kMostLines));
  }

  void write_examples(const GoroutineGroup& group) {
    std::string ids, threads;
    for (const GoroutineExample& example : group.examples) {
      constexpr std::size_t kWide = 60;
      if (ids.size() < kWide) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", example.id);
      if (example.thread && threads.size() < kWide)
        threads += fmt::format("{}{}", threads.empty() ? "" : ", ", example.thread);
    }
    if (group.examples.empty()) return;
    const GoroutineExample& first = group.examples.front();
    std::string words =
        fmt::format("    goroutine {}{}", ids, group.count > group.examples.size() ? ", …" : "");
    if (first.parent) words += fmt::format("; the first was started by goroutine {}", first.parent);
    if (!threads.empty()) words += fmt::format("; on thread {}", threads);
    out_ += style_.paragraph(Paint::kDim, words, 8);
    std::string labels;
    for (const auto& [key, value] : first.labels)
      labels += fmt::format(" {}={}", printable(key), printable(value));
    if (!labels.empty()) out_ += style_.paragraph(Paint::kDim, "    labels of the first:" + labels, 8);
  }

  void write_figures() {
    out_ += "\n";
    if (hidden_)
      line(Paint::kDim, fmt::format("{} of the runtime's own not shown (--runtime shows them).",
                                    count_of(hidden_, "goroutine", "goroutines")));
    const LookFigures& figures = report_.figures;
    if (figures.torn)
      line(Paint::kDim, fmt::format("{} had moved when they were read, and were read again.",
                                    count_of(figures.torn, "time, one", "times, goroutines")));
    if (figures.moved + figures.broken + figures.unreadable)
      line(Paint::kWarning,
           fmt::format("Without a stack: {} moved each time, {} could not be followed, {} could not be read.",
                       figures.moved, figures.broken, figures.unreadable));
    bool times = std::any_of(groups_.begin(), groups_.end(),
                             [](const GoroutineGroup* g) { return g->longest_wait_ns.has_value(); });
    if (times)
      line(Paint::kDim,
           "Waiting times are lower bounds: they count from the first garbage collection that found the "
           "goroutine waiting.");
  }

  const GoroutineReport& report_;
  const GoroutinesTextOptions& options_;
  const TextStyle& style_;
  std::vector<const GoroutineGroup*> groups_;
  std::uint64_t hidden_ = 0;
  std::string out_;
};

}  // namespace

std::string go_call_site(const std::vector<GoCall>& calls) {
  constexpr std::size_t kMostCallers = 2;
  const GoCall* site = own_call(calls);
  if (!site) return "[unknown]";
  std::string text = fmt::format("{} ({})", site->function, place_of(*site, false));
  std::size_t index = static_cast<std::size_t>(site - calls.data()), callers = 0;
  while (++index < calls.size() && callers < kMostCallers) {
    if (calls[index].hidden) continue;
    text += " ← " + calls[index].function;
    ++callers;
  }
  return text;
}

std::string wait_words(const GoWait& wait, std::uint64_t now_monotonic_ns) {
  std::string words;
  for (const GoChannel& channel : wait.channels)
    words += fmt::format("{}{}", words.empty() ? "" : "; or ", channel_words(channel, now_monotonic_ns));
  if (wait.more_channels) words += fmt::format("; or {} more cases", wait.more_channels);
  if (wait.lock) {
    words = fmt::format("on {} 0x{:x}", wait.lock->kind.empty() ? "a semaphore" : wait.lock->kind,
                        wait.lock->address);
    if (!wait.lock->state.empty()) words += ": " + wait.lock->state;
  }
  if (wait.descriptor && !wait.descriptor->words.empty())
    words =
        fmt::format("to {} {}", wait.descriptor->writes ? "write to" : "read from", wait.descriptor->words);
  else if (wait.descriptor)
    words = fmt::format("to {} descriptor {}", wait.descriptor->writes ? "write to" : "read from",
                        wait.descriptor->fd);
  if (wait.until_ns)
    words = *wait.until_ns > now_monotonic_ns
                ? fmt::format("for another {}", human_duration(*wait.until_ns - now_monotonic_ns))
                : "until now";
  return words;
}

std::string goroutines_text(const GoroutineReport& report, const GoroutinesTextOptions& options) {
  return Writer(report, options).write();
}

}  // namespace dwell
