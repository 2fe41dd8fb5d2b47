// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/timers/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "userspace/go/goroutines/text.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::string count_of(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", grouped(static_cast<std::int64_t>(count)), count == 1 ? one : many);
}

const char* kind_words(const GoTimerGroup& group) {
  switch (group.kind) {
    case GoTimerKind::kChannel:
      return group.period_ns ? "ticker" : "timer";
    case GoTimerKind::kFunction:
      return "function";
    case GoTimerKind::kContext:
      return "context";
    case GoTimerKind::kSleep:
      return "sleep";
    case GoTimerKind::kDescriptor:
      return "deadline";
    case GoTimerKind::kOther:
      return "runtime";
  }
  return "";
}

std::string purpose(const GoTimerGroup& group) {
  switch (group.kind) {
    case GoTimerKind::kChannel:
      if (group.useless.value_or(0)) return "useless: nothing can receive from it any more";
      if (group.waited_for)
        return go_call_site(group.calls) +
               (group.creator.function.empty() ? "" : " ← go " + group.creator.function);
      if (group.not_taken == group.count) return "nobody waits, and what it sent was not received";
      return "nobody waits at this moment";
    case GoTimerKind::kFunction:
      return "calls " + group.function.function;
    case GoTimerKind::kContext:
      return "ends a context";
    case GoTimerKind::kSleep:
      return go_call_site(group.calls) +
             (group.creator.function.empty() ? "" : " ← go " + group.creator.function);
    case GoTimerKind::kDescriptor:
      return group.callback == "runtime.netpollReadDeadline"    ? "of reads"
             : group.callback == "runtime.netpollWriteDeadline" ? "of writes"
                                                                : "of reads and writes";
    case GoTimerKind::kOther:
      return "calls " + group.callback;
  }
  return "";
}

std::string due(std::uint64_t when_ns, std::uint64_t now_ns) {
  return when_ns > now_ns ? "in " + human_duration(when_ns - now_ns) : "due";
}

std::string verdict(const TimerReport& report, std::uint64_t now_ns) {
  std::string text;
  if (report.useless_tickers)
    text += fmt::format(
        "{} never stopped, and nothing can receive from {} any more: {} tick until the program ends.",
        count_of(report.useless_tickers, "ticker was", "tickers were"),
        report.useless_tickers == 1 ? "it" : "them", report.useless_tickers == 1 ? "it will" : "they will");
  std::uint64_t latest = 0;
  for (const GoTimerGroup& group : report.groups)
    if (group.useless.value_or(0) && !group.period_ns) latest = std::max(latest, group.latest_ns);
  if (report.useless_timers)
    text += fmt::format(
        "{}{} (time.After, or NewTimer without Stop) that nothing can receive from any more, the last {}.",
        text.empty() ? "" : " ", count_of(report.useless_timers, "timer is pending", "timers are pending"),
        due(latest, now_ns));
  return text;
}

}  // namespace

std::string timers_text(const TimerReport& report, const TimersTextOptions& options) {
  const TextStyle& style = options.style;
  std::string out =
      "\n" + style.paragraph(Paint::kStrong,
                             "Timers: " + grouped(static_cast<std::int64_t>(report.pending)) + " pending");
  if (std::string words = verdict(report, options.now_monotonic_ns); !words.empty())
    out += style.paragraph(Paint::kWarning, words);
  TextTable table({{"count"}, {"kind"}, {"every", 1}, {"soonest"}, {"latest", 2}, {"purpose"}});
  std::size_t width = table.last_column_width(style), shown = 0;
  std::uint64_t hidden = 0, more = 0;
  for (const GoTimerGroup& group : report.groups) {
    if (group.kind == GoTimerKind::kOther && !options.runtime) {
      hidden += group.count;
      continue;
    }
    if (shown++ >= options.groups) {
      more += group.count;
      continue;
    }
    std::string words = printable(purpose(group));
    table.add({{grouped(static_cast<std::int64_t>(group.count))},
               {kind_words(group)},
               {group.period_ns ? human_duration(group.period_ns) : "-"},
               {due(group.soonest_ns, options.now_monotonic_ns)},
               {group.count > 1 ? due(group.latest_ns, options.now_monotonic_ns) : "-"},
               {width ? cut_end(words, width) : words,
                group.useless.value_or(0) ? Paint::kWarning : Paint::kPlain}});
  }
  if (shown) out += table.write(style);
  if (more)
    out += style.paragraph(Paint::kDim,
                           fmt::format("{} more are not shown.", grouped(static_cast<std::int64_t>(more))));
  for (const TimerMaker& maker : report.makers)
    out += style.paragraph(Paint::kPlain,
                           fmt::format("Made at {}: {} of timers in use, by the program's own heap profile",
                                       printable(go_call_site(maker.calls)),
                                       human_bytes(static_cast<double>(maker.in_use_bytes))));
  if (hidden)
    out +=
        style.paragraph(Paint::kDim, fmt::format("{} of the runtime's own not shown (--runtime shows them).",
                                                 count_of(hidden, "timer", "timers")));
  if (report.torn)
    out += style.paragraph(Paint::kDim, fmt::format("{} while they were read, and are not told.",
                                                    count_of(report.torn, "changed", "changed")));
  return out;
}

}  // namespace dwell
