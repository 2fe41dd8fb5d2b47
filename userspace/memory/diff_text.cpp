// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "userspace/memory/text.h"
#include "userspace/memory/words.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

Paint paint_of(double change) {
  return change > 0 ? Paint::kGrew : change < 0 ? Paint::kShrank : Paint::kPlain;
}

constexpr const char* kNothing = "Neither recording has any memory to compare.";

std::string runs_verdict(const MemoryDiff& diff, const DiffSite& total) {
  std::string name = kind_title(total.kind);
  double grew = diff.change(total);
  if (grew == 0)
    return fmt::format("{} retains as much as before, {}.", name, human_bytes(total.after.retained_bytes));
  return fmt::format("{} retains {} {}, from {} to {}.", name, human_bytes(std::abs(grew)),
                     grew > 0 ? "more" : "less",
                     bytes_text(total.before.retained_bytes, total.before.retained_error),
                     bytes_text(total.after.retained_bytes, total.after.retained_error));
}

// Each window counts from nothing: what it retains is what it grew by.
std::string windows_verdict(const MemoryDiff& diff, const DiffSite& total) {
  auto side = [&](const MemoryFigures& figures, double rate, std::uint64_t duration_ns) {
    if (figures.retained_bytes <= 0) return fmt::format("did not grow in {}", human_duration(duration_ns));
    return fmt::format("grew {} in {}, {} a minute",
                       bytes_text(figures.retained_bytes, figures.retained_error),
                       human_duration(duration_ns), human_bytes(rate));
  };
  return fmt::format("{} {}; later it {}.", kind_title(total.kind),
                     side(total.before, diff.before_bytes(total), diff.before_duration_ns),
                     side(total.after, diff.after_bytes(total), diff.after_duration_ns));
}

std::string diff_kind_verdict(const MemoryDiff& diff, const DiffSite& total) {
  return diff.relation == DiffRelation::kOneProcess ? windows_verdict(diff, total)
                                                    : runs_verdict(diff, total);
}

// "RSS was 45.1 MB at the end of the first recording and 80.2 MB at the end of the second, 35.1 MB more."
std::string resident_verdict(const MemoryDiff& diff) {
  std::optional<ResidentSum> before = resident_at_end(diff.before_balances),
                             after = resident_at_end(diff.after_balances);
  if (!before || !after) return "";
  auto side = [](const ResidentSum& sum) {
    return human_bytes(static_cast<double>(sum.bytes)) +
           (sum.processes > 1 ? fmt::format(" in {} processes", sum.processes) : "");
  };
  const double change = static_cast<double>(after->bytes) - static_cast<double>(before->bytes);
  return fmt::format(
      "RSS was {} at the end of the first recording and {} at the end of the second: {}.", side(*before),
      side(*after),
      change == 0 ? "as much" : human_bytes(std::abs(change)) + (change > 0 ? " more" : " less"));
}

class DiffTextWriter {
 public:
  DiffTextWriter(const MemoryDiff& diff, const MemoryTextOptions& options)
      : diff_(diff), options_(options), style_(options.style), wrappers_(wrappers_of(diff)) {}

  std::string write() {
    write_header();
    out_ += options_.first;
    write_verdicts();
    for (const std::string& note : diff_.notes)
      out_ += style_.paragraph(Paint::kWarning, "Note: " + printable(note));
    std::size_t number = 1;
    for (const DiffSite& total : diff_.totals) write_sites(total, number);
    number = 1;
    if (options_.stacks) {
      for (const DiffSite& total : diff_.totals) write_stacks(total, number);
    }
    return std::move(out_);
  }

 private:
  void write_header() {
    auto side = [&](const char* name, const RecordingInfo& info, const std::string& process, std::uint64_t duration_ns) {
      std::string text = fmt::format("{}  {} on {}, {}, recorded for {}", name, printable(process), printable(info.host),
                                     utc_time(static_cast<std::int64_t>(info.start_unix_ns)), human_duration(duration_ns));
      out_ += style_.paragraph(Paint::kDim, text);
    };
    side("before", diff_.before, diff_.before_process, diff_.before_duration_ns);
    side("after ", diff_.after, diff_.after_process, diff_.after_duration_ns);
    out_ += '\n';
  }

  bool by_rate() const { return diff_.relation == DiffRelation::kOneProcess; }

  void write_verdicts() {
    const std::string resident = resident_verdict(diff_);
    if (!resident.empty()) out_ += style_.paragraph(Paint::kPlain, resident);
    for (const DiffSite& total : diff_.totals) {
      Paint paint = paint_of(by_rate() ? total.after.retained_bytes : diff_.change(total));
      out_ += style_.paragraph(paint, diff_kind_verdict(diff_, total));
    }
    if (diff_.totals.empty()) out_ += kNothing + std::string("\n");
  }

  std::vector<const DiffSite*> sites_of(MemoryKind kind) const {
    std::vector<const DiffSite*> sites;
    for (const DiffSite& site : diff_.sites) {
      if (site.kind == kind) sites.push_back(&site);
    }
    return sites;
  }

  // The largest changes of both directions: growth stands at the front of the list, what shrank at its end.
  std::vector<const DiffSite*> shown_of(MemoryKind kind) const {
    std::vector<const DiffSite*> sites = sites_of(kind);
    if (sites.size() <= options_.sites) return sites;
    std::vector<const DiffSite*> largest = sites;
    std::stable_sort(largest.begin(), largest.end(), [this](const DiffSite* a, const DiffSite* b) {
      return std::abs(diff_.change(*a)) > std::abs(diff_.change(*b));
    });
    largest.resize(options_.sites);
    std::erase_if(sites, [&](const DiffSite* site) {
      return std::find(largest.begin(), largest.end(), site) == largest.end();
    });
    return sites;
  }

  std::vector<TextCell> cells(const std::string& number, const DiffSite& site, const std::string& name) const {
    double grew = diff_.change(site);
    return {{number, Paint::kDim},
            {signed_bytes(grew), paint_of(grew)},
            {signed_count(diff_.compared(site.after.retained_blocks, diff_.after_duration_ns) -
                          diff_.compared(site.before.retained_blocks, diff_.before_duration_ns))},
            {bytes_text(diff_.before_bytes(site), diff_.compared(site.before.retained_error, diff_.before_duration_ns))},
            {bytes_text(diff_.after_bytes(site), diff_.compared(site.after.retained_error, diff_.after_duration_ns))},
            {name}};
  }

  static std::string site_name(const CallSiteNames& names, const DiffSite& site, std::size_t columns) {
    std::string tag = !site.in_before ? "new: " : !site.in_after ? "gone: " : "";
    std::size_t room = columns > tag.size() + 1 ? columns - tag.size() : columns;
    return tag + names.line(site.stack, room);
  }

  void write_sites(const DiffSite& total, std::size_t& number) {
    std::vector<const DiffSite*> all = sites_of(total.kind), shown = shown_of(total.kind);
    if (all.empty()) return;
    out_ +=
        "\n" + style_.paragraph(Paint::kStrong, kind_title(total.kind) +
                                                    (by_rate() ? ": call sites by change of rate, per minute"
                                                               : ": call sites by change"));
    CallSiteNames names(&wrappers_);
    for (const DiffSite* site : shown) names.add(site->stack);
    auto fill = [&](std::size_t columns) {
      TextTable table({{"#"}, {"change"}, {"blocks", 3}, {"before", 2}, {"after", 1}, {"call site"}});
      DiffSite rest = total;
      for (std::size_t i = 0; i < shown.size(); ++i) {
        const DiffSite& site = *shown[i];
        table.add(cells(fmt::format("{}", number + i), site, site_name(names, site, columns)));
        take_away(rest.before, site.before);
        take_away(rest.after, site.after);
      }
      std::size_t hidden = all.size() - shown.size();
      table.add(cells("", rest, hidden ? counted(hidden, "call site") + " not shown, and all unchanged" : "all unchanged"));
      table.add(cells("", total, "total"));
      return table;
    };
    std::size_t columns = fill(0).last_column_width(style_);
    out_ += fill(columns).write(style_);
    number += shown.size();
  }
  static void take_away(MemoryFigures& from, const MemoryFigures& figures) {
    from.retained_bytes -= figures.retained_bytes;
    from.retained_blocks -= figures.retained_blocks;
    from.retained_error = 0;
  }

  void write_stacks(const DiffSite& total, std::size_t& number) {
    std::vector<const DiffSite*> shown = shown_of(total.kind);
    for (std::size_t i = 0; i < shown.size() && i < options_.stacks; ++i) {
      const DiffSite& site = *shown[i];
      std::string text =
          fmt::format("#{}  {}{}, from {} to {}", number + i, signed_bytes(diff_.change(site)),
                      by_rate() ? " a minute" : "", human_bytes(diff_.before_bytes(site)),
                      human_bytes(diff_.after_bytes(site)));
      if (diff_.totals.size() > 1) text += ", " + kind_title(site.kind);
      out_ += "\n" + style_.paragraph(Paint::kStrong, text);
      out_ += stack_lines(site.stack, "", options_.frames, style_);
    }
    number += shown.size();
  }

  const MemoryDiff& diff_;
  const MemoryTextOptions& options_;
  const TextStyle& style_;
  const Wrappers wrappers_;
  std::string out_;
};

}  // namespace

Wrappers wrappers_of(const MemoryDiff& diff) {
  Wrappers wrappers;
  for (std::size_t i = 0; i < std::min(diff.sites.size(), Wrappers::kMostLearnt); ++i)
    wrappers.learn(diff.sites[i].stack);
  return wrappers;
}

std::vector<std::string> memory_diff_verdicts(const MemoryDiff& diff) {
  std::vector<std::string> verdicts;
  if (std::string resident = resident_verdict(diff); !resident.empty())
    verdicts.push_back(std::move(resident));
  for (const DiffSite& total : diff.totals) verdicts.push_back(diff_kind_verdict(diff, total));
  if (diff.totals.empty()) verdicts.emplace_back(kNothing);
  return verdicts;
}

std::string memory_diff_text(const MemoryDiff& diff, const MemoryTextOptions& options) {
  return DiffTextWriter(diff, options).write();
}

}  // namespace dwell
