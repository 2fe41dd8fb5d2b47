// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "userspace/memory/balance_text.h"
#include "userspace/memory/processes_text.h"
#include "userspace/memory/site_names.h"
#include "userspace/memory/summary_text.h"
#include "userspace/memory/trust_text.h"
#include "userspace/memory/verdict_text.h"
#include "userspace/memory/words.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

// The sites of one process and kind: the unit within which figures may be added up.
struct Section {
  const KindReport* total = nullptr;
  const KindReport* left_out = nullptr;
  std::vector<const SiteReport*> sites;
  std::size_t first_number = 1;  // of its first site, counted through the whole report
  std::size_t shown = 0;         // sites with a row of their own
};

bool has_activity(const MemoryFigures& figures) {
  return figures.retained_blocks != 0 || figures.allocations != 0 || figures.frees != 0 ||
         figures.inherited_blocks != 0 || figures.retained_bytes != 0;
}

// A row has something to show if the figure that the rows are sorted by is not zero.
bool worth_a_row(const SiteReport& site, SortKey sort) {
  const MemoryFigures& figures = site.figures;
  switch (sort) {
    case SortKey::kRetained:
    case SortKey::kBlocks:
    case SortKey::kAge:
      return figures.retained_bytes != 0 || figures.retained_blocks != 0;
    case SortKey::kGrowth:
      return figures.growth_per_minute.value_or(0) != 0;
    case SortKey::kAllocated:
    case SortKey::kAllocations:
      return figures.allocations != 0;
    case SortKey::kTemporary:
      return figures.temporary_blocks != 0;
    case SortKey::kPeak:
      return figures.peak_bytes != 0;
  }
  return true;
}

constexpr std::size_t kHolderColumns = 28;
constexpr std::size_t kMostBalances = 4;  // of several processes, that are told one by one: those that changed

class MemoryTextWriter {
 public:
  MemoryTextWriter(const MemoryReport& report, const MemoryTextOptions& options)
      : report_(report), options_(options), style_(options_.style) {
    split_into_sections();
  }

  std::string write() {
    out_ += summary_text(report_, {.style = style_, .others = options_.others, .followed = options_.followed, .raw = options_.raw}) + "\n";
    if (report_.unseen.size() > 1) out_ += unseen_text(report_, style_);
    write_header();
    if (!options_.first.empty()) out_ += "\n" + options_.first;
    if (report_.processes.size() > 1) out_ += "\n", write_verdicts();  // of all of them
    if (!report_.ended || !report_.notes.empty()) out_ += "\n";
    write_notes();
    write_processes();
    write_totals();
    for (const Section& section : sections_) write_sites(section);
    if (options_.stacks) {
      for (const Section& section : sections_) write_stacks(section);
    }
    out_ += options_.sections;
    out_ += trust_text(report_, style_);
    return std::move(out_);
  }

  MemorySummary summary() {
    using Writer = MemoryTextWriter;
    with_curves_ = false;  // who asks for sentences draws by himself
    std::vector<std::string> verdicts = lines_of(unseen_text(report_, style_)), more = said(&Writer::write_verdicts);
    verdicts.insert(verdicts.end(), more.begin(), more.end());
    return {verdicts,
            said(&Writer::write_notes),
            lines_of(losses_text(report_, style_)),
            lines_of(children_text(report_, style_)),
            lines_of(stack_quality_text(report_, style_)),
            lines_of(recording_cost_text(report_, style_))};
  }

 private:
  std::vector<std::string> said(void (MemoryTextWriter::*part)()) {
    out_.clear();
    (this->*part)();
    return lines_of(out_);
  }
  static std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    for (std::string_view line : split(text, '\n'))
      if (!line.empty()) lines.emplace_back(line.substr(line.find_first_not_of(' ')));
    return lines;
  }

  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }
  void heading(const std::string& text) { out_ += "\n" + style_.paragraph(Paint::kStrong, text); }
  std::string fitted(const std::string& text) const {
    return style_.columns ? cut_middle(text, style_.columns) : text;
  }
  std::uint64_t range_ns() const { return report_.to_ns - report_.from_ns; }
  bool sampled() const { return report_.info.sample_period_bytes != 0; }

  void split_into_sections() {
    for (const KindReport& total : report_.totals) {
      if (!has_activity(total.figures)) continue;
      Section section;
      section.total = &total;
      auto same = [&](const auto& other) {
        return other.kind == total.kind && other.process == total.process;
      };
      auto left_out = std::find_if(report_.left_out.begin(), report_.left_out.end(), same);
      if (left_out != report_.left_out.end()) section.left_out = &*left_out;
      for (const SiteReport& site : report_.sites) {
        if (same(site)) section.sites.push_back(&site);
      }
      auto worth = std::count_if(section.sites.begin(), section.sites.end(),
                                 [&](const SiteReport* site) { return worth_a_row(*site, report_.sort); });
      section.shown = std::min(static_cast<std::size_t>(worth), options_.sites);
      sections_.push_back(std::move(section));
    }
    std::size_t number = 1;
    for (Section& section : sections_) {
      section.first_number = number;
      number += section.shown;
    }
  }

  std::string section_name(const Section& section) const {
    std::string name = kind_title(section.total->kind);
    if (report_.processes.size() > 1 && section.total->process < report_.processes.size())
      name += " of " + program_text(report_, section.total->process);
    return name;
  }

  void write_header() {
    const RecordingInfo& info = report_.info;
    if (!report_.processes.empty()) {
      const ProcessInfo& first = report_.processes.front();
      std::string text = process_text(first);
      std::size_t more = report_.processes.size() - 1;
      if (more) text += fmt::format(" and {} more process{}", more, more == 1 ? "" : "es");
      line(Paint::kStrong, fitted(text));
      if (!first.command_line.empty()) line(Paint::kDim, fitted("  " + printable(first.command_line)));
    }
    std::string where =
        fmt::format("  {}, Linux {} {}", printable(info.host), printable(info.kernel), printable(info.arch));
    if (!info.container.empty()) where += ", container " + printable(info.container);
    line(Paint::kDim, where);
    std::string when =
        fmt::format("  {}, recorded for {}", utc_time(static_cast<std::int64_t>(info.start_unix_ns)),
                    human_duration(report_.duration_ns));
    if (range_ns() != report_.duration_ns) {
      when += fmt::format("; this report: from {} to {}", human_duration(report_.from_ns),
                          human_duration(report_.to_ns));
    }
    if (report_.ended && !report_.end_reason.empty()) when += "; " + printable(report_.end_reason);
    line(Paint::kDim, when);
    if (sampled()) {
      line(Paint::kDim,
           fmt::format("  sampled: one in every {} allocated, scaled back; ± is one standard error",
                       human_bytes(static_cast<double>(info.sample_period_bytes))));
    }
  }

  // The first sentences a reader should see: what became of the processes, and then who is behind it.
  void write_verdicts() {
    if (report_.processes.size() > 1) {
      for (const std::string& sentence : {all_processes_sentence(report_), ranking_sentence(report_)})
        if (!sentence.empty()) line(Paint::kPlain, sentence);
    }
    std::size_t told = 0;
    for (const ProcessBalance& balance : report_.balances) {
      if (report_.processes.size() > kMostBalances && (is_level(balance) || ++told > kMostBalances)) continue;
      std::string of = report_.processes.size() > 1 ? " of " + process_text(report_.processes[balance.process]) : "";
      bool grew = balance.change() > 0 && !is_level(balance);
      line(grew ? Paint::kGrew : Paint::kPlain, balance_sentence(balance, of));
      for (const std::string& note : balance_notes(balance, of)) line(Paint::kPlain, note);
      if (std::string curve = process_curve(balance, style_); with_curves_ && !curve.empty()) out_ += curve + "\n";
    }
    for (const Section& section : sections_) {
      // Files and reservations take address space, not memory: the totals show them, and that is enough.
      bool is_memory =
          section.total->kind == MemoryKind::kHeap || section.total->kind == MemoryKind::kMapping;
      if (!is_memory && sections_.size() > 1) continue;
      double net = section.total->older ? section.total->older->live_change.value_or(0) : net_bytes(section.total->figures);
      Paint paint = net > 0 ? Paint::kGrew : Paint::kShrank;
      line(net == 0 ? Paint::kPlain : paint, verdict(section));
    }
    if (sections_.empty() && options_.first.empty() && options_.followed)
      line(Paint::kPlain, nothing_seen(report_));
  }

  std::string verdict(const Section& section) const {
    return kind_verdict(*section.total, {section_name(section), section.sites, range_ns(), report_.thread});
  }

  void write_notes() {
    if (!report_.ended) {
      line(Paint::kWarning, "Note: the recording was cut off; it is shown as far as it can be read.");
    }
    for (const std::string& note : report_.notes) {
      line(Paint::kWarning, "Note: " + printable(note));
    }
  }

  void write_processes() {
    if (report_.processes.size() < 2) return;
    heading("Processes");
    out_ += processes_table(report_, options_.sites, style_);
  }

  void write_totals() {
    if (sections_.empty()) return;
    TextTable table({{"retained"},
                     {"blocks"},
                     {"growth/min", 2},
                     {"allocated", 1},
                     {"allocations", 5},
                     {"freed", 1},
                     {"temporary", 4},
                     {"peak", 3},
                     {"inherited", 6},
                     {"dropped", 7},
                     {""}});
    for (const Section& section : sections_) {
      const MemoryFigures& f = section.total->figures;
      table.add({{retained_text(f), Paint::kStrong},
                 {retained_blocks_text(f)},
                 growth_cell(f),
                 {bytes_text(f.allocated_bytes, f.allocated_error)},
                 {count_text(f.allocations)},
                 {freed_text(f)},
                 {temporary_text(f)},
                 {peak_text(f)},
                 {f.inherited_bytes != 0 ? bytes_text(f.inherited_bytes) : "-"},
                 {f.dropped_bytes != 0 ? bytes_text(f.dropped_bytes) : "-"},
                 {section_name(section)}});
    }
    heading("Totals");
    out_ += table.write(style_);
  }

  static TextCell growth_cell(const MemoryFigures& figures) {
    Paint paint = Paint::kPlain;
    if (figures.growth_per_minute && *figures.growth_per_minute > 0) paint = Paint::kGrew;
    if (figures.growth_per_minute && *figures.growth_per_minute < 0) paint = Paint::kShrank;
    return {rate_text(figures.growth_per_minute), paint};
  }

  static std::string sort_words(SortKey sort) {
    switch (sort) {
      case SortKey::kRetained:
        return "retained bytes";
      case SortKey::kBlocks:
        return "retained blocks";
      case SortKey::kGrowth:
        return "growth";
      case SortKey::kAllocated:
        return "allocated bytes";
      case SortKey::kAllocations:
        return "allocations";
      case SortKey::kTemporary:
        return "temporary blocks";
      case SortKey::kPeak:
        return "bytes at the peak";
      case SortKey::kAge:
        return "age";
    }
    return "retained bytes";
  }

  std::vector<TextColumn> site_columns() const {
    auto rank = [&](SortKey key, int usual) { return report_.sort == key ? 0 : usual; };
    return {{"#"},
            {"retained"},
            {"share", 4},
            {"blocks", rank(SortKey::kBlocks, 3)},
            {"growth/min", rank(SortKey::kGrowth, 2)},
            {"oldest", rank(SortKey::kAge, 6)},
            {"median age", 9},
            {"allocated", rank(SortKey::kAllocated, 5)},
            {"freed", 8},
            {"allocations", rank(SortKey::kAllocations, 10)},
            {"temporary", rank(SortKey::kTemporary, 7)},
            {"peak", rank(SortKey::kPeak, 11)},
            {"processes", 3},
            {"held by", 3},
            {"call site"}};
  }

  std::vector<TextCell> site_cells(const std::string& number, const MemoryFigures& f, const Section& section, const std::string& name,
                                   const std::string& processes = "", const std::string& held_by = "") const {
    return {{number, Paint::kDim},
            {retained_text(f), Paint::kStrong},
            {f.range_only ? "-" : percent(f.retained_bytes, section.total->figures.retained_bytes)},
            {retained_blocks_text(f)},
            growth_cell(f),
            {"-"},
            {"-"},
            {bytes_text(f.allocated_bytes, f.allocated_error)},
            {freed_text(f)},
            {count_text(f.allocations)},
            {temporary_text(f)},
            {peak_text(f)},
            {processes},
            {held_by},
            {name}};
  }

  // The rows, what is not shown, and what the filters took away add up to the total.
  void write_sites(const Section& section) {
    heading(fmt::format("{}: call sites by {}", section_name(section), sort_words(report_.sort)));
    if (section.shown == 0 && options_.sites > 0) {
      line(Paint::kPlain, nothing_to_show(section));
      return;
    }
    std::size_t shown = section.shown;
    SiteNames names(report_, {section.sites.begin(), section.sites.begin() + static_cast<std::ptrdiff_t>(shown)}, options_.raw);
    auto fill = [&](std::size_t columns) {
      TextTable table(site_columns());
      for (std::size_t i = 0; i < shown; ++i) {
        const SiteReport& site = *section.sites[i];
        std::vector<TextCell> cells = site_cells(fmt::format("{}", section.first_number + i), site.figures,
                                                 section, names.line(site, columns), shares_text(site.shares), cut_middle(holding_text(site.holding), kHolderColumns));
        cells[5].text = age_text(site.oldest_age_ns);
        cells[6].text = age_text(site.median_age_ns);
        table.add(std::move(cells));
      }
      if (shown < section.sites.size()) {
        MemoryFigures rest;
        for (std::size_t i = shown; i < section.sites.size(); ++i) rest = rest + section.sites[i]->figures;
        table.add(
            site_cells("", rest, section,
                       fmt::format("{} not shown", counted(section.sites.size() - shown, "call site"))));
      }
      if (section.left_out && has_activity(section.left_out->figures)) {
        table.add(site_cells("", section.left_out->figures, section, "left out by the filter"));
      }
      table.add(site_cells("", section.total->figures, section, "total"));
      return table;
    };
    // The names fill the room that the figures leave, so the figures are laid out first.
    std::size_t columns = fill(0).last_column_width(style_);
    out_ += fill(columns).write(style_);
  }

  std::string nothing_to_show(const Section& section) const {
    const MemoryFigures& f = section.total->figures;
    if (report_.sort != SortKey::kRetained && report_.sort != SortKey::kBlocks && report_.sort != SortKey::kAge)
      return section.left_out ? "None of those that the filters leave has any." : "No call site has any.";
    if (f.retained_blocks != 0 || f.retained_bytes != 0) return "The filters exclude all retained memory.";
    return fmt::format("Nothing that was allocated in this time is still in use: {} in {}, peak {}. Where it allocates most: "
                       "dwell report FILE --sort allocated",
                       bytes_text(f.allocated_bytes), counted(static_cast<std::size_t>(f.allocations), "allocation"),
                       bytes_text(f.peak_bytes));
  }

  void write_stacks(const Section& section) {
    std::size_t shown = std::min(options_.stacks, section.shown);
    SiteNames names(report_, {}, options_.raw);
    for (std::size_t i = 0; i < shown; ++i) {
      const SiteReport& site = *section.sites[i];
      const MemoryFigures& f = site.figures;
      std::string text = fmt::format("#{}  ", section.first_number + i);
      if (sections_.size() > 1) text += section_name(section) + ": ";
      text += retained_text(f);
      if (!site.shares.empty()) text += fmt::format(" (processes: {})", shares_text(site.shares));
      if (!f.range_only) text += f.retained_blocks == 1 ? " in 1 block" : " in " + count_text(f.retained_blocks) + " blocks";
      if (f.growth_per_minute.value_or(0) != 0)
        text += fmt::format(", {} a minute", rate_text(f.growth_per_minute));
      if (site.oldest_age_ns) text += fmt::format(", oldest {}", age_text(site.oldest_age_ns));
      if (site.median_age_ns) text += fmt::format(", half older than {}", age_text(site.median_age_ns));
      heading(text);
      std::vector<ReportFrame> frames = site.stack;
      if (std::string held = holding_sentence(site.holding); !held.empty()) line(Paint::kPlain, "      " + held);
      out_ += stack_lines(frames, site.incomplete, options_.frames, style_, names.look(frames));
      if (site.folded) line(Paint::kDim, "      (a deep recursion: turns of it are left out)");
    }
  }

  const MemoryReport& report_;
  const MemoryTextOptions options_;
  const TextStyle& style_;
  std::vector<Section> sections_;
  bool with_curves_ = true;
  std::string out_;
};

}  // namespace

MemorySummary memory_summary(const MemoryReport& report, const MemoryTextOptions& options) {
  return MemoryTextWriter(report, options).summary();
}

std::string memory_text(const MemoryReport& report, const MemoryTextOptions& options) {
  return MemoryTextWriter(report, options).write();
}

}  // namespace dwell
