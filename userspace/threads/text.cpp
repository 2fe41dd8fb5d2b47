// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/words.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::size_t kNamedThreads = 8;

std::string state_words(ThreadState state) {
  switch (state) {
    case ThreadState::kRunning:
      return "running";
    case ThreadState::kReady:
      return "ready, waits for a CPU";
    case ThreadState::kUninterruptible:
      return "uninterruptible";
    case ThreadState::kStopped:
      return "stopped";
    case ThreadState::kEnded:
      return "ended";
    default:
      return "waiting";
  }
}

// Of a thread that may spin.
std::string busy_words(const ThreadFacts& facts) {
  if (!facts.busy_ns) return "";
  return fmt::format(": {} of CPU time in {}, without sleeping", human_duration(facts.busy_ns), human_duration(facts.busy_over_ns));
}

std::string verdict_text(const Verdict& verdict, const std::string& where, const TextStyle& style) {
  Paint paint = verdict.stuck_for_good()                 ? Paint::kGrew
                : !verdict.is_trouble() ? Paint::kDim
                                                         : Paint::kWarning;
  std::string kind(name_of(verdict.kind));
  kind[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(kind[0])));
  std::string text = style.paragraph(paint, fmt::format("{} ({}): {}{}", kind, name_of(verdict.certainty),
                                                        printable(verdict.headline), where));
  for (const std::string& evidence : verdict.evidence)
    text += style.paragraph(Paint::kPlain, "  " + printable(evidence));
  return text;
}

class ThreadsTextWriter {
 public:
  ThreadsTextWriter(const ThreadReport& report, const ThreadsTextOptions& options)
      : report_(report), options_(options), style_(options.style) {}

  std::string write() {
    write_header();
    write_verdicts();
    write_notes();
    write_table();
    for (std::size_t i = 0; i < std::min(options_.groups, report_.groups.size()); ++i) write_group(i);
    write_circles();
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }
  const ThreadRow& first_of(const ThreadGroup& group) const { return report_.threads[group.threads.front()]; }

  bool is_fine() const { return std::ranges::none_of(report_.verdicts, &Verdict::is_trouble); }

  std::string count_by_state() const {
    std::array<std::size_t, static_cast<std::size_t>(ThreadState::kStates)> counts{};
    for (const ThreadRow& thread : report_.threads) ++counts[static_cast<std::size_t>(thread.facts.state)];
    std::string text;
    for (std::size_t state = 0; state < counts.size(); ++state) {
      if (counts[state])
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[state],
                            name_of(static_cast<ThreadState>(state)));
    }
    return text;
  }

  void write_header() {
    line(Paint::kStrong, process_text(report_.process));
    if (!report_.process.command_line.empty())
      line(Paint::kDim, "  " + printable(report_.process.command_line));
    const RecordingInfo& info = report_.info;
    line(Paint::kDim, fmt::format("  {}, Linux {} {}, {}", printable(info.host), printable(info.kernel),
                                  printable(info.arch),
                                  utc_time(static_cast<std::int64_t>(info.start_unix_ns + report_.time_ns))));
    out_ += "\n";
    const char* fine = is_fine() ? "; none was found stuck" : "";
    line(Paint::kStrong, fmt::format("{}: {}{}. Looked at in {}; dwell stopped none.", counted(report_.threads.size(), "thread"), count_by_state(), fine,
                                     human_duration(report_.duration_ns)));
  }

  // "#1, #2 and #4"
  std::string group_numbers(const Verdict& verdict) const {
    std::vector<std::size_t> groups;
    for (std::size_t thread : verdict.threads) {
      std::size_t group = report_.threads[thread].group;
      if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
    }
    std::string text;
    for (std::size_t i = 0; i < groups.size(); ++i)
      text += fmt::format("{}#{}", i == 0 ? "" : i + 1 == groups.size() ? " and " : ", ", groups[i] + 1);
    return text;
  }

  // "198 threads [#2], 2 threads [#3] and 2 threads [#4] wait for work"
  void write_pools(const std::vector<const Verdict*>& pools) {
    std::string text;
    for (std::size_t i = 0; i < pools.size(); ++i)
      text += fmt::format("{}{} [{}]", i == 0 ? "" : i + 1 == pools.size() ? " and " : ", ", counted(pools[i]->threads.size(), "thread"), group_numbers(*pools[i]));
    out_ += "\n" + style_.paragraph(Paint::kDim, fmt::format("Idle pools ({}): {} wait for work, each pool at one place", name_of(pools[0]->certainty), text));
  }

  void write_verdicts() {
    std::vector<const Verdict*> pools;
    for (const Verdict& verdict : report_.verdicts)
      if (verdict.kind == VerdictKind::kIdlePool) pools.push_back(&verdict);
    bool together = pools.size() > 1;
    for (const Verdict& verdict : report_.verdicts) {
      if (together && verdict.kind == VerdictKind::kIdlePool) {
        if (&verdict == pools[0]) write_pools(pools);
        continue;
      }
      std::string groups = group_numbers(verdict);
      out_ += "\n" + verdict_text(verdict, groups.empty() ? "" : fmt::format(" [{}]", groups), style_);
    }
  }

  void write_notes() {
    for (const std::string& note : report_.notes) line(Paint::kWarning, "Note: " + printable(note));
    auto moved =
        std::ranges::count_if(report_.threads, [](const ThreadRow& thread) { return thread.facts.moved; });
    if (moved)
      line(Paint::kDim,
           fmt::format("Note: {} ran while being looked at; what is told of {} may not be of one moment",
                       counted(static_cast<std::size_t>(moved), "thread"), moved == 1 ? "it" : "them"));
  }

  // What the threads of a group wait for: the same, or each a thing of its own.
  std::string waits_for(const ThreadGroup& group) const {
    const ThreadFacts& first = first_of(group).facts;
    if (first.waits_for.empty()) return state_words(first.state);
    auto other = [&](std::size_t thread) {
      return report_.threads[thread].facts.waits_for != first.waits_for;
    };
    std::size_t others = static_cast<std::size_t>(std::ranges::count_if(group.threads, other));
    std::string words = printable(first.waits_for);
    const LockFacts* lock = first.lock < 0 ? nullptr : &report_.locks[static_cast<std::size_t>(first.lock)];
    if (lock && lock->kind != WaitKind::kJoin && !lock->owner_words.empty())
      words += ", held by " + printable(lock->owner_words);
    if (others) words += fmt::format(" (and {} other{})", others, others == 1 ? "" : "s");
    return words;
  }

  // Of one thread, or of a pool that has numbered its own: "GC Thread#*". "": that of the process, or several.
  std::string name_of_group(const ThreadGroup& group) const {
    std::string name = first_of(group).facts.name;
    for (std::size_t thread : group.threads) {
      const std::string& other = report_.threads[thread].facts.name;
      if (other == name) continue;
      auto same = std::ranges::mismatch(name, other).in1 - name.begin();
      name.resize(static_cast<std::size_t>(same));
      if (same < 3) return "";
      name += '*';
    }
    return name == report_.process.name ? "" : printable(name);
  }

  void write_table() {
    out_ += "\n";
    TextTable table({{"#", 0}, {"threads", 0}, {"name", is_fine() ? 1 : 3}, {"for", 0}, {"waits for", 2}, {"at", 0}});
    std::size_t room = table.last_column_width(style_);
    constexpr std::size_t kWaitColumns = 44;
    for (std::size_t i = 0; i < report_.groups.size(); ++i) {
      const ThreadGroup& group = report_.groups[i];
      table.add({{fmt::format("{}", i + 1)},
                 {fmt::format("{}", group.threads.size())},
                 {name_of_group(group)},
                 {age_text(first_of(group).waiting_ns)},
                 {cut_middle(waits_for(group), kWaitColumns)},
                 {call_site_line(own_part(group.stack.frames), room)}});
    }
    out_ += table.write(style_);
  }

  // "worker (4711, 4712), main (4710) and 3 more"
  std::string thread_names(const ThreadGroup& group) const {
    std::string text;
    for (std::size_t i = 0; i < std::min(kNamedThreads, group.threads.size()); ++i) {
      const ThreadFacts& facts = report_.threads[group.threads[i]].facts;
      text += fmt::format("{}{} {}", i ? ", " : "", printable(facts.name), facts.tid);
    }
    if (group.threads.size() > kNamedThreads)
      text += fmt::format(" and {} more", group.threads.size() - kNamedThreads);
    return text;
  }

  void write_lock_block(const ThreadGroup& group) {
    std::int32_t lock = first_of(group).facts.lock;
    const BlockSite* block = report_.block_of(lock);
    if (!block) return;
    bool several = std::ranges::any_of(
        group.threads, [&](std::size_t thread) { return report_.threads[thread].facts.lock != lock; });
    std::string what = block->kind == "heap" ? "a block" : "a mapping";
    line(Paint::kPlain, fmt::format("    the {}lock lies in {} of {}, allocated {} before by {}", several ? "first " : "", what,
                                    human_bytes(block->size), human_duration(block->age_ns),
                                    call_site_line(own_part(block->stack), 0)));
  }

  void write_group(std::size_t index) {
    const ThreadGroup& group = report_.groups[index];
    const ThreadRow& first = first_of(group);
    std::string title = fmt::format("#{}  {}", index + 1, counted(group.threads.size(), "thread"));
    if (first.waiting_ns)
      title += fmt::format(", {} for {}{}", state_words(first.facts.state), group.threads.size() > 1 ? "up to " : "",
                           human_duration(*first.waiting_ns));
    else
      title += ", " + state_words(first.facts.state) + busy_words(first.facts);
    if (!first.facts.waits_for.empty()) title += ": " + waits_for(group);
    out_ += "\n" + style_.paragraph(Paint::kStrong, title);
    line(Paint::kDim, "    " + thread_names(group));
    write_lock_block(group);
    if (!group.kernel_stack.frames.empty())
      out_ += stack_lines(group.kernel_stack.frames, group.kernel_stack.incomplete, options_.frames, style_);
    if (!group.stack.frames.empty()) {
      out_ += stack_lines(group.stack.frames, group.stack.incomplete, options_.frames, style_);
    } else if (first.facts.state == ThreadState::kRunning) {
      line(Paint::kDim, "      it was on a CPU at each look, and no clock of the kernel could tell where");
    }
  }

  // The stacks of other processes in a circle with this one.
  void write_circles() {
    for (const ProcessCircle& circle : find_process_circles(report_.chain)) {
      bool told = std::ranges::any_of(report_.verdicts, [&](const Verdict& verdict) { return verdict.processes == circle.processes; });
      if (!told) continue;
      for (std::size_t index : circle.waits) {
        const ChainWait& wait = report_.chain.waits[index];
        if (wait.pid == static_cast<std::uint32_t>(report_.process.pid)) continue;
        const ThreadStack& stack = report_.chain_stacks[index];
        out_ += "\n" + style_.paragraph(Paint::kStrong, fmt::format("{} ({}), thread {} ({}): {}", printable(wait.process), wait.pid, printable(wait.thread), wait.tid,
                                                                    printable(wait.waits_for)));
        if (!stack.frames.empty()) out_ += stack_lines(stack.frames, stack.incomplete, options_.frames, style_);
      }
    }
  }

  const ThreadReport& report_;
  const ThreadsTextOptions& options_;
  const TextStyle& style_;
  std::string out_;
};

}  // namespace

std::string thread_verdicts_text(const ThreadReport& report, const TextStyle& style) {
  std::string text;
  for (const Verdict& verdict : report.verdicts)
    if (verdict.certainty != Certainty::kPossible) text += verdict_text(verdict, "", style);
  return text;
}

std::string threads_text(const ThreadReport& report, const ThreadsTextOptions& options) {
  return ThreadsTextWriter(report, options).write();
}

}  // namespace dwell
