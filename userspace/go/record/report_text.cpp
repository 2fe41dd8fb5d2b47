// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/report_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ui/escape.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/heap/text.h"
#include "userspace/go/goroutines/stuck_text.h"
#include "userspace/go/goroutines/text.h"
#include "ui/words.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::string goroutines(std::uint64_t count) {
  return fmt::format("{} goroutine{}", count_text(count), count == 1 ? "" : "s");
}
std::string growth(const std::optional<double>& per_minute) {
  if (!per_minute) return "-";
  return std::abs(*per_minute) < 0.5 ? "0" : signed_count(std::round(*per_minute));
}
std::string estimate(const GoEstimate& estimate) { return bytes_text(estimate.bytes, estimate.error); }
std::string per_second(const GoEstimate& allocated, std::uint64_t window_ns) {
  if (!window_ns || allocated.bytes == 0) return "-";
  return human_bytes(allocated.bytes * 1e9 / static_cast<double>(window_ns));
}
std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string place(const GoCall& call) {
  if (call.function.empty()) return "the program's start, or a thread that C made";
  return fmt::format("{} ({}:{})", printable(call.function), printable(file_name(call.file)), call.line);
}
std::string fitted(const std::string& text, std::size_t width) { return width ? cut_end(text, width) : text; }

class Writer {
 public:
  Writer(const GoReport& report, const GoReportTextOptions& options)
      : report_(report), options_(options), style_(options.style) {
    for (const GoCreatorReport& creator : report.creators)
      (creator.of_runtime ? of_runtime_ : creators_).push_back(&creator);
  }

  std::string write() {
    out_ += findings_text(report_.findings, style_);
    write_count();
    write_stuck();
    write_held();
    write_creators();
    for (std::size_t i = 0; i < std::min({options_.stacks, options_.sites, creators_.size()}); ++i)
      write_stack(i);
    write_heap();
    for (const GoContentionReport& contention : report_.contention) write_contention(contention);
    write_collector();
    write_lost();
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }

  void write_count() {
    const GoTrend& trend = report_.goroutines;
    std::string text = goroutines(trend.last);
    if (report_.looks > 1)
      text += fmt::format(", {} at the first of {} looks ({} to {})", count_text(trend.first),
                          count_text(report_.looks), count_text(trend.least), count_text(trend.most));
    if (trend.per_minute) text += fmt::format("; {} a minute", growth(trend.per_minute));
    line(trend.grows ? Paint::kGrew : Paint::kPlain,
         fmt::format("{}: {}.", printable(report_.version), text));
    if (!report_.note.empty()) line(Paint::kWarning, "Note: " + printable(report_.note));
  }

  void write_stuck() {
    if (!report_.stuck) return;
    out_ += stuck_text(figures_of(*report_.stuck), style_);
  }

  // One that ends by itself, a timer, is no news: any server with timeouts has some.
  void write_held() {
    if (!report_.held) return;
    if (const std::optional<TimerReport>& timers = report_.held->timers; timers && timers->useless_tickers)
      line(Paint::kWarning, fmt::format("At the end {} of {} pending timers and tickers were tickers that nothing can receive from.",
                                        count_text(timers->useless_tickers), count_text(timers->pending)));
    if (const std::optional<ContextReport>& contexts = report_.held->contexts; contexts && contexts->lost)
      line(Paint::kWarning, fmt::format("At the end {} of {} contexts that were not cancelled were lost: nothing can cancel them.",
                                        count_text(contexts->lost), count_text(contexts->alive)));
  }

  void write_creators() {
    out_ += "\n" + style_.paragraph(Paint::kStrong, "Goroutines by who started them");
    TextTable table({{"#"},
                     {"now"},
                     {"growth/min"},
                     {"first", 2},
                     {"stuck", 0},
                     {"waits for", 3},
                     {"started by ← where most are"}});
    std::size_t width = table.last_column_width(style_);
    std::uint64_t more = 0;
    for (std::size_t i = 0; i < creators_.size(); ++i) {
      const GoCreatorReport& creator = *creators_[i];
      if (i >= options_.sites) {
        more += creator.count.last;
        continue;
      }
      std::string where = place(creator.creator);
      if (creator.count.last)
        where += fmt::format("; {} in {}", printable(creator.state), printable(go_call_site(creator.calls)));
      table.add({{std::to_string(i + 1)},
                 {count_text(creator.count.last)},
                 {growth(creator.count.per_minute), creator.count.grows ? Paint::kGrew : Paint::kPlain},
                 {count_text(creator.count.first)},
                 {creator.stuck + creator.abandoned ? count_text(creator.stuck + creator.abandoned) : "-", Paint::kWarning},
                 {creator.longest_wait_ns ? "≥ " + human_duration(*creator.longest_wait_ns) : "-"},
                 {fitted(where, width)}});
    }
    if (more)
      table.add({{""},
                 {count_text(more)},
                 {"-"},
                 {"-"},
                 {"-"},
                 {"-"},
                 {fmt::format("{} creators not shown", creators_.size() - options_.sites)}});
    std::uint64_t runtime = 0;
    for (const GoCreatorReport* creator : of_runtime_) runtime += creator->count.last;
    if (runtime) table.add({{""}, {count_text(runtime)}, {"-"}, {"-"}, {"-"}, {"-"}, {"the runtime's own"}});
    out_ += table.write(style_);
  }

  void write_stack(std::size_t index) {
    const GoCreatorReport& creator = *creators_[index];
    if (creator.calls.empty()) return;
    out_ += "\n" + style_.paragraph(Paint::kStrong,
                                    fmt::format("#{}  {} of {} in {}", index + 1, count_text(creator.alike),
                                                goroutines(creator.count.last), printable(creator.state)));
    for (const GoCall& call : creator.calls) write_frame("", call);
    if (!creator.creator.function.empty()) write_frame("started by ", creator.creator);
  }

  void write_frame(const char* before, const GoCall& call) {
    if (call.hidden) return;
    std::string text = fmt::format("      {}{}  {}:{}{}", before, printable(call.function),
                                   printable(call.file), call.line, call.inlined ? " (inlined)" : "");
    out_ += (style_.columns ? cut_middle(text, style_.columns) : text) + "\n";
  }

  void write_heap() {
    if (!report_.heap) {
      if (!report_.no_heap.empty())
        out_ += "\n" + style_.paragraph(Paint::kWarning, printable(report_.no_heap) + ".");
      return;
    }
    const GoHeapReport& heap = *report_.heap;
    std::string head =
        fmt::format("Go heap by call site: {} in use as of the last collection", estimate(heap.in_use));
    if (heap.per_minute) head += fmt::format(", {} a minute", signed_bytes(*heap.per_minute));
    if (heap.window_ns)
      head += fmt::format("; {} allocated a second", per_second(heap.allocated, heap.window_ns));
    out_ += "\n" + style_.paragraph(Paint::kStrong, head);
    TextTable table(
        {{"#"}, {"in use"}, {"growth/min", 1}, {"objects", 3}, {"allocated/s", 0}, {"call site"}});
    std::size_t width = table.last_column_width(style_);
    std::vector<std::size_t> rows = heap_rows(heap);
    for (std::size_t i : rows) {
      const GoHeapSiteReport& site = heap.sites[i];
      table.add({{std::to_string(i + 1)},
                 {estimate(site.in_use)},
                 {rate_text(site.per_minute)},
                 {count_text(std::round(site.in_use.objects))},
                 {site.allocated.bytes > 0 && heap.window_ns
                      ? bytes_text(site.allocated.bytes * 1e9 / static_cast<double>(heap.window_ns),
                                   site.allocated.error * 1e9 / static_cast<double>(heap.window_ns))
                      : "-"},
                 {fitted(printable(go_call_site(site.calls)), width)}});
    }
    out_ += table.write(style_);
    if (heap.sites.size() > rows.size())
      line(Paint::kDim, fmt::format("{} call sites are not shown.", heap.sites.size() - rows.size()));
    if (heap.rate > 1)
      line(Paint::kDim,
           fmt::format("By the runtime's own samples, one in {} allocated; ± is one standard error.",
                       human_bytes(static_cast<double>(heap.rate))));
  }

  // Those with most in use, and those that allocate most: garbage is not in use, and costs all the same.
  std::vector<std::size_t> heap_rows(const GoHeapReport& heap) const {
    std::vector<std::size_t> all(heap.sites.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    std::vector<std::size_t> rows(
        all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), options_.sites)));
    std::stable_sort(all.begin(), all.end(), [&](std::size_t a, std::size_t b) {
      return heap.sites[a].allocated.bytes > heap.sites[b].allocated.bytes;
    });
    constexpr std::size_t kMostAllocating = 5;
    for (std::size_t i = 0; i < std::min(all.size(), kMostAllocating); ++i)
      if (heap.sites[all[i]].allocated.bytes > 0 && std::find(rows.begin(), rows.end(), all[i]) == rows.end())
        rows.push_back(all[i]);
    return rows;
  }

  void write_contention(const GoContentionReport& contention) {
    bool locks = contention.kind == GoProfileKind::kMutex;
    out_ += "\n" + style_.paragraph(Paint::kStrong,
                                    locks ? "Waits for Go locks, by who let others wait (mutex profile)"
                                          : "Waits of goroutines, by call site (block profile)");
    TextTable table({{"#"}, {"waited"}, {"times"}, {"since the start", 1}, {"call site"}});
    std::size_t width = table.last_column_width(style_);
    auto duration = [](double ns) {
      return human_duration(static_cast<std::uint64_t>(std::clamp(ns, 0.0, 1e18)));
    };
    std::size_t rows = std::min(options_.sites, contention.sites.size());
    for (std::size_t i = 0; i < rows; ++i) {
      const GoContentionSite& site = contention.sites[i];
      table.add({{std::to_string(i + 1)},
                 {duration(site.ns_within)},
                 {count_text(std::round(site.contentions_within))},
                 {duration(site.ns)},
                 {fitted(printable(go_call_site(site.calls)), width)}});
    }
    out_ += table.write(style_);
    if (rows < contention.sites.size())
      line(Paint::kDim, fmt::format("{} call sites are not shown.", contention.sites.size() - rows));
  }

  void write_collector() {
    if (!report_.collector) return;
    const GoCollectorReport& collector = *report_.collector;
    std::uint64_t span_ns = report_.last_ns - report_.first_ns;
    if (span_ns) {
      std::string text = fmt::format(
          "Collector, while it was recorded: {} cycles ({} asked for by the program), {} stopped in all",
          count_text(collector.cycles), count_text(collector.forced), human_duration(collector.pauses_ns));
      if (collector.cycles)
        text += fmt::format(" ({} a minute, {:.3f} % of the time)",
                            human_count(collector.cycles * 60e9 / static_cast<double>(span_ns)),
                            100.0 * static_cast<double>(collector.pauses_ns) / static_cast<double>(span_ns));
      if (collector.longest_ns)
        text += fmt::format("; longest stop {}{}", human_duration(*collector.longest_ns),
                            collector.all_known ? "" : " of those that are known");
      out_ += "\n" + style_.paragraph(Paint::kPlain, text + ".");
    }
    out_ += collector_text(collector.last, style_);
  }

  void write_lost() {
    const LookFigures& lost = report_.lost;
    if (lost.moved + lost.broken + lost.unreadable)
      line(Paint::kWarning,
           fmt::format(
               "Without a stack, of {} met in all looks: {} moved each time they were read, {} could not be "
               "followed, {} could not be read.",
               goroutines(lost.alive), count_text(lost.moved), count_text(lost.broken), count_text(lost.unreadable)));
  }

  const GoReport& report_;
  const GoReportTextOptions& options_;
  const TextStyle& style_;
  std::vector<const GoCreatorReport*> creators_, of_runtime_;
  std::string out_;
};

std::string signed_number(std::uint64_t before, std::uint64_t after) {
  return signed_count(static_cast<double>(after) - static_cast<double>(before));
}

}  // namespace

std::string go_report_text(const GoReport& report, const GoReportTextOptions& options) {
  return Writer(report, options).write();
}

std::string go_diff_text(const GoDiff& diff, const GoReportTextOptions& options) {
  const TextStyle& style = options.style;
  std::string out = style.paragraph(Paint::kStrong,
                                    fmt::format("Goroutines: {} before, {} after ({})", count_text(diff.before),
                                                count_text(diff.after), signed_number(diff.before, diff.after)));
  TextTable table({{"change"}, {"before"}, {"after"}, {"started by"}});
  std::size_t width = table.last_column_width(style);
  for (std::size_t i = 0; i < std::min(options.sites, diff.creators.size()); ++i) {
    const GoDiffCreator& creator = diff.creators[i];
    table.add({{signed_number(creator.before, creator.after),
                creator.after > creator.before ? Paint::kGrew : Paint::kShrank},
               {count_text(creator.before)},
               {count_text(creator.after)},
               {fitted(place(creator.creator), width)}});
  }
  if (!diff.creators.empty()) out += table.write(style);
  if (diff.sites.empty()) return out + "\n";
  out += "\n" +
         style.paragraph(Paint::kStrong, fmt::format("Go heap in use: {} before, {} after",
                                                     estimate(diff.heap_before), estimate(diff.heap_after)));
  TextTable heap({{"change"}, {"before"}, {"after"}, {"call site"}});
  width = heap.last_column_width(style);
  for (std::size_t i = 0; i < std::min(options.sites, diff.sites.size()); ++i) {
    const GoDiffSite& site = diff.sites[i];
    double change = site.after.bytes - site.before.bytes;
    heap.add({{signed_bytes(change), change > 0 ? Paint::kGrew : Paint::kShrank},
              {estimate(site.before)},
              {estimate(site.after)},
              {fitted(printable(go_call_site(site.calls)), width)}});
  }
  return out + heap.write(style) + "\n";
}

}  // namespace dwell
