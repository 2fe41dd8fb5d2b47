// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "userspace/base/text.h"
#include "userspace/clocks/quantities.h"

namespace dwell {
namespace {

bool is_wrapper(const ReportFrame& frame) {
  std::size_t slash = frame.module.rfind('/');
  std::string file = slash == std::string::npos ? frame.module : frame.module.substr(slash + 1);
  return frame.function.starts_with("std::") || file == "[vdso]" || file.starts_with("libc.so") ||
         file.starts_with("libc-") || file.starts_with("libpthread") || file.starts_with("ld-musl") ||
         file.starts_with("libstdc++") || file.starts_with("libc++") || file.starts_with("linux-vdso");
}

// The stack from the frame on that a reader means by "who asked": above the C library and std::chrono.
std::vector<ReportFrame> asking_stack(const std::vector<ReportFrame>& stack) {
  auto asks = std::find_if_not(stack.begin(), stack.end(), is_wrapper);
  if (asks == stack.end()) return stack;
  return {asks, stack.end()};
}

std::string rate_text(double per_second) {
  if (per_second >= 1000) return human_count(per_second);
  return fmt::format("{:.{}f}", per_second, per_second < 10 ? 1 : 0);
}

const char* kind_text(ClockVerdict::Kind kind) {
  switch (kind) {
    case ClockVerdict::Kind::kInterval:
      return "interval on the wall clock";
    case ClockVerdict::Kind::kDeadline:
      return "deadline on the wall clock";
    case ClockVerdict::Kind::kHot:
      return "hot clock";
    case ClockVerdict::Kind::kCoarse:
      return "coarse enough";
    case ClockVerdict::Kind::kHitByStep:
      return "hit by a step";
    case ClockVerdict::Kind::kOverslept:
      return "overslept";
  }
  return "?";
}

class ClocksTextWriter {
 public:
  ClocksTextWriter(const ClocksReport& report, const ClocksTextOptions& options)
      : report_(report), options_(options), style_(options.style) {}

  std::string write() {
    write_header();
    write_verdicts();
    write_steps();
    write_reads();
    write_waits();
    write_intervals();
    write_stacks();
    write_kernel();
    write_notes();
    write_cost();
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }
  void heading(const std::string& text) { out_ += "\n" + style_.paragraph(Paint::kStrong, text); }

  void write_header() {
    line(Paint::kStrong, fmt::format("clocks of {} ({}), {:.1f} s", printable(report_.program), report_.pid,
                                     report_.seconds));
  }

  void write_verdicts() {
    if (report_.verdicts.empty()) return;
    heading("What to look at");
    for (const ClockVerdict& verdict : report_.verdicts) {
      line(verdict.certainty == ClockVerdict::Certainty::kPossible ? Paint::kPlain : Paint::kWarning,
           fmt::format("  {} ({}): {}", kind_text(verdict.kind), name_of(verdict.certainty),
                       printable(verdict.text)));
      out_ += style_.paragraph(Paint::kPlain,
                               "    at " + call_site_line(asking_stack(verdict.stack), site_columns(7)), 6);
      line(Paint::kDim, "    evidence: " + printable(verdict.evidence));
      if (!verdict.advice.empty()) line(Paint::kDim, "    " + verdict.advice);
    }
  }

  void write_steps() {
    if (report_.steps.empty()) return;
    auto worked = [](const ClockStep& step) { return step.result >= 0; };
    auto moved = [&](const ClockStep& step) { return worked(step) && step.kind != ClockStepKind::kSetting; };
    heading(std::ranges::any_of(report_.steps, moved)    ? "The wall clock was moved"
            : std::ranges::any_of(report_.steps, worked) ? "The wall clock was adjusted, and not moved"
                                                         : "Attempts to set the wall clock failed");
    TextTable table({{"at"}, {"by"}, {"what", 1}, {"who"}});
    for (const ClockStep& step : report_.steps) {
      std::string who = step.pid ? fmt::format("{} ({})", printable(step.command), step.pid)
                        : step.command.empty() ? "from outside" : printable(step.command);
      if (!step.container.empty())
        who += fmt::format(" in container {}", printable(step.container.substr(0, 12)));
      if (step.result < 0) who += fmt::format(", failed: {}", -step.result);
      table.add({{fmt::format("{:.3f} s", static_cast<double>(step.time_ns) / 1e9)},
                 {signed_ns(step.size_ns), step.size_ns ? Paint::kWarning : Paint::kPlain},
                 {printable(step.what)},
                 {who}});
    }
    out_ += table.write(style_);
  }

  void write_reads() {
    heading("Reads");
    if (report_.reads.empty()) {
      bool always = report_.watched_share > 0.999;
      line(Paint::kPlain, always ? "  none was seen"
                                 : fmt::format("  none was seen in the {} of the time that was watched",
                                               percent(report_.watched_share, 1)));
      return;
    }
    std::string all = rate_text(report_.reads_per_second) + " a second";
    if (report_.reads_error > 0) all += fmt::format(" ± {}", rate_text(report_.reads_error));
    line(Paint::kPlain, "  " + all);
    TextTable table({{"reads/s"}, {"±", 2}, {"seen", 3}, {"CPU", 1}, {"clock"}, {"call", 4}, {"site"}});
    std::size_t rows = 0;
    std::size_t room = 0;
    for (int pass = 0; pass < 2; ++pass) {
      // The last column can be filled only when the width of the others is known.
      if (pass) {
        room = table.last_column_width(style_);
        table = TextTable({{"reads/s"}, {"±", 2}, {"seen", 3}, {"CPU", 1}, {"clock"}, {"call", 4}, {"site"}});
      }
      rows = 0;
      for (const ClockReadSite& site : report_.reads) {
        if (rows++ == options_.sites) break;
        table.add({{rate_text(site.per_second)},
                   {site.error > 0 ? rate_text(site.error) : "-", Paint::kDim},
                   {grouped(static_cast<std::int64_t>(site.counted)), Paint::kDim},
                   {site.cpu_percent >= 0.05 ? fmt::format("{:.1f} %", site.cpu_percent) : "-"},
                   {short_clock(site.clock), site.wall ? Paint::kStrong : Paint::kPlain},
                   {site.call, Paint::kDim},
                   {call_site_line(asking_stack(site.stack), room)}});
      }
    }
    out_ += table.write(style_);
    tell_rest(report_.reads.size());
  }

  void write_waits() {
    if (report_.waits.empty()) return;
    heading("Sleeps, waits and timers");
    const std::vector<TextColumn> kColumns = {{"times"}, {"timed out", 2}, {"asked", 1}, {"over", 3},
                                              {"worst"}, {"clock"},        {"call"},     {"site"}};
    TextTable table(kColumns);
    std::size_t room = 0;
    for (int pass = 0; pass < 2; ++pass) {
      if (pass) {
        room = table.last_column_width(style_);
        table = TextTable(kColumns);
      }
      std::size_t rows = 0;
      for (const ClockWaitSite& site : report_.waits) {
        if (rows++ == options_.sites) break;
        double times = static_cast<double>(std::max<std::uint64_t>(site.count, 1));
        double ends = static_cast<double>(std::max<std::uint64_t>(site.timed_out, 1));
        bool waits = site.kind != "timer";
        std::string count = grouped(static_cast<std::int64_t>(site.count));
        if (site.under_way) count += fmt::format(" + {}", site.under_way);
        table.add({{count},
                   {waits ? grouped(static_cast<std::int64_t>(site.timed_out)) : "-"},
                   {site.count ? short_ns(static_cast<double>(site.asked_ns) / times) : "-"},
                   {site.timed_out ? short_ns(static_cast<double>(site.over_ns) / ends) : "-"},
                   {site.timed_out ? short_ns(static_cast<double>(site.max_over_ns)) : "-"},
                   {short_clock(site.clock) + (site.absolute ? ", absolute" : ""),
                    site.wall && site.absolute ? Paint::kWarning : Paint::kPlain},
                   {site.call, Paint::kDim},
                   {call_site_line(asking_stack(site.stack), room)}});
      }
    }
    out_ += table.write(style_);
    tell_rest(report_.waits.size());
  }

  void write_intervals() {
    if (report_.intervals.empty()) return;
    heading("Between two reads of the wall clock in one call");
    TextTable table({{"times"}, {"mean"}, {"longest", 1}, {"site"}});
    std::size_t rows = 0;
    for (const ClockInterval& interval : report_.intervals) {
      if (rows++ == options_.sites) break;
      table.add({{grouped(static_cast<std::int64_t>(interval.count))},
                 {short_ns(static_cast<double>(interval.total_ns) / static_cast<double>(interval.count))},
                 {short_ns(static_cast<double>(interval.max_ns))},
                 {call_site_line(asking_stack(interval.first), 48) + " → " +
                  call_site_line(asking_stack(interval.second), site_columns(60))}});
    }
    out_ += table.write(style_);
    tell_rest(report_.intervals.size());
  }

  void write_stacks() {
    for (std::size_t i = 0; i < report_.reads.size() && i < options_.stacks; ++i) {
      const ClockReadSite& site = report_.reads[i];
      heading(fmt::format("{} reads a second, {} by {}", rate_text(site.per_second), site.clock, site.call));
      out_ += stack_lines(site.stack, site.incomplete, options_.frames, style_);
    }
  }

  void write_kernel() {
    if (!report_.kernel.known) return;
    const KernelClockState& kernel = report_.kernel;
    std::string text =
        fmt::format("Kernel: clock {}; {}, frequency {:+.3f} ppm", printable(kernel.clocksource),
                    kernel.synchronised ? "synchronised" : "not synchronised", kernel.frequency_ppm);
    if (kernel.offset_ns)
      text += fmt::format(", {} still to be slewed", short_ns(static_cast<double>(kernel.offset_ns)));
    if (!kernel.leap.empty()) text += ", " + kernel.leap;
    out_ += "\n";
    line(Paint::kPlain, text + ".");
  }

  void write_notes() {
    for (const std::string& note : report_.notes) line(Paint::kWarning, "Note: " + printable(note) + ".");
    for (const auto& [what, count] : report_.losses)
      line(Paint::kWarning, fmt::format("Lost: {} {}.", grouped(static_cast<std::int64_t>(count)), what));
  }

  void write_cost() {
    std::string watched = report_.watched_share > 0.999
                              ? "all the time"
                              : fmt::format("in {} windows, {} of the time", report_.windows,
                                            percent(report_.watched_share, 1));
    std::string share = report_.cost_percent
                            ? fmt::format("{}{:.2f} % of the target's CPU time", report_.bpf_ns ? "" : "at least ",
                                          *report_.cost_percent)
                            : "the target used no CPU time to compare with";
    line(Paint::kPlain,
         fmt::format(
             "Reads were counted {}. Cost: {}: {} probe hits, {} in traps, {}; "
             "dwell itself used {}.",
             watched, share,
             grouped(static_cast<std::int64_t>(report_.probe_hits)), short_ns(report_.trap_ns),
             time_in_bpf(report_.bpf_ns),
             short_ns(static_cast<double>(report_.own_cpu_ns))));
  }

  void tell_rest(std::size_t all) {
    if (all > options_.sites) line(Paint::kDim, fmt::format("  and {} more", all - options_.sites));
  }
  static std::string short_clock(const std::string& clock) {
    return clock.starts_with("CLOCK_") ? clock.substr(6) : clock;
  }
  static std::string signed_ns(std::int64_t ns) {
    return (ns < 0 ? "-" : "+") + short_ns(std::abs(static_cast<double>(ns)));
  }
  std::size_t site_columns(std::size_t used) const {
    return style_.columns > used + 20 ? style_.columns - used : style_.columns ? 20 : 0;
  }

  const ClocksReport& report_;
  const ClocksTextOptions& options_;
  const TextStyle& style_;
  std::string out_;
};

}  // namespace

std::string clocks_text(const ClocksReport& report, const ClocksTextOptions& options) {
  return ClocksTextWriter(report, options).write();
}

}  // namespace dwell
