// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/verdicts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string_view>

#include "userspace/clocks/quantities.h"

namespace dwell {
namespace {

using Kind = ClockVerdict::Kind;
using Certainty = ClockVerdict::Certainty;
using Stack = std::vector<ReportFrame>;

constexpr double kHotPercent = 3;  // of the target's CPU time, in the reads of one site
constexpr double kCoarsePercent = 1;
constexpr double kCoarseReads = 100'000;  // a second: far more than a coarse clock's ticks
constexpr std::uint64_t kEnoughSamples = 100;
constexpr std::uint64_t kOverslept = 50'000'000;

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

// ---- intervals ----

bool same_place(const ReportFrame& a, const ReportFrame& b) {
  return a.module == b.module && a.offset == b.offset && a.function == b.function && a.line == b.line;
}

// The frame in which two reads part: the call that made both, or called what made them. None: they are the
// same place, or were made by different functions.
const ReportFrame* parting_frame(const ClockInterval& interval) {
  const Stack& first = interval.first;
  const Stack& second = interval.second;
  std::size_t common = 0;
  while (common < first.size() && common < second.size() &&
         same_place(first[first.size() - 1 - common], second[second.size() - 1 - common]))
    ++common;
  if (common >= first.size() || common >= second.size() || first.size() != second.size()) return nullptr;
  for (std::size_t i = first.size() - common; i-- > 0;)
    if (first[i].function != second[i].function || first[i].module != second[i].module) return nullptr;
  const ReportFrame& a = first[first.size() - 1 - common];
  const ReportFrame& b = second[second.size() - 1 - common];
  return a.offset < b.offset ? &a : nullptr;  // the way back is the loop around it
}

void judge_interval(const ClockInterval& interval, std::vector<ClockVerdict>& verdicts) {
  const ReportFrame* where = parting_frame(interval);
  if (!where) return;
  ClockVerdict verdict;
  verdict.kind = Kind::kInterval;
  verdict.certainty = interval.count > 1 ? Certainty::kLikely : Certainty::kPossible;
  verdict.stack = interval.second;
  double mean = static_cast<double>(interval.total_ns) / static_cast<double>(interval.count);
  verdict.text =
      fmt::format("{} reads the wall clock twice in one call, {} apart", where->function, short_ns(mean));
  verdict.evidence =
      fmt::format("{} pairs by the same call frame: {}, the longest {}", interval.count,
                  histogram_text(interval.lengths), short_ns(static_cast<double>(interval.max_ns)));
  verdict.advice = "a duration needs CLOCK_MONOTONIC (std::chrono::steady_clock, time.monotonic, Instant)";
  verdicts.push_back(std::move(verdict));
}

void judge_spanned(const ClockInterval& interval, std::vector<ClockVerdict>& verdicts) {
  if (!interval.spanned_step || !parting_frame(interval)) return;
  ClockVerdict verdict;
  verdict.kind = Kind::kHitByStep;
  verdict.certainty = Certainty::kSure;
  verdict.stack = interval.second;
  verdict.text =
      fmt::format("{} of the {} intervals here spanned a step of the wall clock: the last came out {} too {}",
                  interval.spanned_step, interval.count, short_ns(std::abs(static_cast<double>(interval.spanned_by_ns))),
                  interval.spanned_by_ns < 0 ? "short" : "long");
  verdict.evidence = "the clock was set between the two reads";
  verdicts.push_back(std::move(verdict));
}

// ---- waits ----

std::string better_wait(const ClockWaitSite& site) {
  auto through = [&](std::initializer_list<std::string_view> names) {
    return std::any_of(site.stack.begin(), site.stack.end(),
                       [&](const ReportFrame& frame) { return starts_with_any(frame.function, names); });
  };
  if (through({"pthread_cond_timedwait", "__pthread_cond_timedwait", "___pthread_cond_timedwait"}))
    return "pthread_condattr_setclock(CLOCK_MONOTONIC), pthread_cond_clockwait, or wait_until a "
           "steady_clock's time";
  if (through({"sem_timedwait", "__sem_timedwait", "___sem_timedwait", "__new_sem_wait"}))
    return "sem_clockwait";
  if (through({"pthread_mutex_timedlock", "__pthread_mutex_timedlock", "___pthread_mutex_timedlock",
               "__pthread_mutex_clocklock_common"}))
    return "pthread_mutex_clocklock";
  if (through({"pthread_rwlock_timed", "__pthread_rwlock_timed", "___pthread_rwlock_timed"}))
    return "pthread_rwlock_clockrdlock and clockwrlock";
  if (through({"pthread_timedjoin_np", "__pthread_timedjoin", "___pthread_timedjoin"}))
    return "pthread_clockjoin_np";
  if (site.call == "futex") return "FUTEX_WAIT_BITSET without FUTEX_CLOCK_REALTIME";
  if (site.call.starts_with("mq_")) return "";
  return "CLOCK_MONOTONIC";
}

// A thread that a language's runtime keeps for itself: of nobody's program, and nobody can change how it waits.
bool is_of_runtime(const Stack& stack) {
  auto base = [](std::string_view path) { return path.substr(path.rfind('/') + 1); };
  auto library = [&](const ReportFrame& frame) {
    return starts_with_any(base(frame.module), {"libc.so", "libc-", "libpthread", "ld-linux", "ld-musl", "[vdso]"});
  };
  bool go = false, java = false;
  for (const ReportFrame& frame : stack) {
    bool of_go = frame.function.starts_with("runtime.") || frame.function.starts_with("runtime/");
    bool of_java = base(frame.module) == "libjvm.so";
    if (!of_go && !of_java && !library(frame)) return false;
    go = go || of_go;
    java = java || of_java;
  }
  return go || java;
}

void judge_deadline(const ClockWaitSite& site, std::vector<ClockVerdict>& verdicts) {
  if (!site.absolute || !site.wall || site.count + site.under_way == 0) return;
  ClockVerdict verdict;
  verdict.kind = Kind::kDeadline;
  verdict.certainty = Certainty::kSure;
  verdict.stack = site.stack;
  double mean = site.count ? static_cast<double>(site.asked_ns) / static_cast<double>(site.count) : 0;
  verdict.text = fmt::format("{} until a time of {}", site.call, site.clock);
  // Of waits that have not ended it is not known yet.
  if (site.count) verdict.text += fmt::format(", {} ahead on average", short_ns(mean));
  verdict.evidence = fmt::format("{} absolute {} by that clock; a step moves their end",
                                 site.count + site.under_way, site.kind == "timer" ? "timers" : "waits");
  std::string better = better_wait(site);
  if (!better.empty()) verdict.advice = "unless calendar time is meant: " + better;
  verdicts.push_back(std::move(verdict));
  if (!site.spanned_step) return;
  ClockVerdict hit;
  hit.kind = Kind::kHitByStep;
  hit.certainty = Certainty::kSure;
  hit.stack = site.stack;
  hit.text = fmt::format(
      "{} wait{} here {} under way when the wall clock was set: what was left of {} changed by as much",
      site.spanned_step, site.spanned_step == 1 ? "" : "s", site.spanned_step == 1 ? "was" : "were",
      site.spanned_step == 1 ? "it" : "them");
  hit.evidence = "their deadline is a time of " + site.clock;
  verdicts.push_back(std::move(hit));
}

void judge_oversleep(const ClockWaitSite& site, std::vector<ClockVerdict>& verdicts) {
  bool worst = site.max_over_ns >= kOverslept && site.max_over_ns >= site.max_over_asked_ns;
  bool waiting = site.under_way_over_ns >= kOverslept;
  if (!worst && !waiting) return;
  ClockVerdict verdict;
  verdict.kind = Kind::kOverslept;
  verdict.certainty = Certainty::kSure;
  verdict.stack = site.stack;
  std::string thread = site.max_over_thread.empty()
                           ? fmt::format("thread {}", site.max_over_tid)
                           : fmt::format("thread {} ({})", site.max_over_thread, site.max_over_tid);
  if (worst)
    verdict.text = fmt::format("{} asked for {} and came back {} late", thread,
                               short_ns(static_cast<double>(site.max_over_asked_ns)),
                               short_ns(static_cast<double>(site.max_over_ns)));
  else
    verdict.text = fmt::format("a wait is {} past its deadline and still under way",
                               short_ns(static_cast<double>(site.under_way_over_ns)));
  verdict.evidence = site.timed_out
                         ? fmt::format("{} that timed out: {}", site.timed_out, histogram_text(site.over))
                         : "the wait has not ended";
  verdicts.push_back(std::move(verdict));
}

// ---- reads ----

void judge_read(const ClocksReport& report, const ClockReadSite& site, std::vector<ClockVerdict>& verdicts) {
  bool measured = report.samples >= kEnoughSamples;
  if (measured && site.cpu_percent >= kHotPercent) {
    ClockVerdict verdict;
    verdict.kind = Kind::kHot;
    verdict.certainty = Certainty::kSure;
    verdict.stack = site.stack;
    verdict.text =
        fmt::format("{:.0f} % of the CPU time goes into reading {} here", site.cpu_percent, site.clock);
    verdict.evidence =
        fmt::format("{}{} of {} samples of the CPUs' clock were in the vDSO",
                    site.sampled ? "" : fmt::format("{:.0f} reads a second; ", site.per_second),
                    report.samples_in_vdso, report.samples);
    verdict.advice = "read it once for several uses";
    verdicts.push_back(std::move(verdict));
  }
  if (measured && !site.coarse && !site.sampled && site.cpu_percent >= kCoarsePercent &&
      site.per_second >= kCoarseReads) {
    ClockVerdict verdict;
    verdict.kind = Kind::kCoarse;
    verdict.certainty = Certainty::kPossible;
    verdict.stack = site.stack;
    verdict.text = fmt::format("{:.0f} reads a second of {}", site.per_second, site.clock);
    verdict.evidence = fmt::format("{:.1f} % of the CPU time", site.cpu_percent);
    verdict.advice = "if milliseconds are enough here, the clock's COARSE form costs a fraction of that";
    verdicts.push_back(std::move(verdict));
  }
}

int gravity(Kind kind) {
  switch (kind) {
    case Kind::kHitByStep:
      return 0;
    case Kind::kDeadline:
      return 1;
    case Kind::kInterval:
      return 2;
    case Kind::kOverslept:
      return 3;
    case Kind::kHot:
      return 4;
    case Kind::kCoarse:
      return 5;
  }
  return 6;
}

}  // namespace

std::vector<ClockVerdict> judge_clocks(const ClocksReport& report) {
  std::vector<ClockVerdict> verdicts;
  for (const ClockInterval& interval : report.intervals) {
    judge_spanned(interval, verdicts);
    judge_interval(interval, verdicts);
  }
  for (const ClockWaitSite& site : report.waits) {
    if (is_of_runtime(site.stack)) continue;
    judge_deadline(site, verdicts);
    judge_oversleep(site, verdicts);
  }
  for (const ClockReadSite& site : report.reads) judge_read(report, site, verdicts);
  std::stable_sort(verdicts.begin(), verdicts.end(), [](const ClockVerdict& a, const ClockVerdict& b) {
    return gravity(a.kind) < gravity(b.kind);
  });
  return verdicts;
}

}  // namespace dwell
