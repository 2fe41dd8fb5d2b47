// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/trust_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

class TrustText {
 public:
  TrustText(const MemoryReport& report, const TextStyle& style) : report_(report), style_(style) {}

  std::string take() { return std::move(out_); }

  void write_losses() {
    const Surprises& odd = report_.surprises;
    bool surprised = odd.unknown_frees || odd.implied_frees || odd.orphan_reallocs || odd.refused_blocks;
    std::string none = report_.unseen.empty() ? "No event was lost." : "Of what is seen, no event was lost.";
    if (report_.losses.empty() && !surprised) {
      heading(none);
      return;
    }
    heading(report_.losses.empty() ? none + " Also seen:" : "Losses");
    for (const LossReport& loss : report_.losses) {
      line(Paint::kWarning,
           fmt::format("  {} {}, from {} to {}: {}", grouped(static_cast<std::int64_t>(loss.count)),
                       printable(loss.name), human_duration(loss.first_ns), human_duration(loss.last_ns),
                       printable(loss.consequence)));
    }
    write_unknown_frees();
    surprise(odd.implied_frees, "addresses allocated again although no free of them was seen");
    surprise(odd.orphan_reallocs, "reallocs of which only one half was seen");
    surprise(odd.refused_blocks, "blocks not followed, because the table of blocks was full");
  }
  void write_children() {
    if (!report_.children || report_.children->words.empty()) return;
    out_ += "\n";
    for (const std::string& words : report_.children->words) line(Paint::kPlain, printable(words));
  }
  // Then a block that is freed need not be older than the recording, to have been allocated unseen.
  bool is_incomplete() const { return !report_.unseen.empty() || !report_.losses.empty(); }
  void write_unknown_frees() {
    const Surprises& odd = report_.surprises;
    std::uint64_t cached = std::min(odd.cache_frees, odd.unknown_frees);
    surprise(cached, "frees of cached blocks by threads that ended");
    surprise(odd.unknown_frees - cached,
             is_incomplete()                      ? "frees of blocks whose allocation was not seen"
             : report_.info.started_by_dwell      ? "frees of blocks that a vfork child allocated, or another allocator handed over"
                                                  : "frees of blocks allocated before the recording began");
  }
  void surprise(std::uint64_t count, const std::string& what) {
    if (count) line(Paint::kPlain, fmt::format("  {} {}", grouped(static_cast<std::int64_t>(count)), what));
  }

  void write_stack_quality() {
    if (report_.stacks.allocations <= 0) return;
    const StackQuality& quality = report_.stacks;
    std::string text =
        fmt::format("Stacks: {} of allocations have a complete one", share(quality.complete_share));
    for (const auto& [reason, count] : quality.incomplete)
      text += fmt::format("; {}: {}", printable(reason), count_text(count));
    text += quality.unnamed_share > 0
                ? fmt::format(". {} of the code addresses have no name.", share(quality.unnamed_share))
                : ". Every code address has a name.";
    line(Paint::kPlain, text);
  }
  // 99.96 % must not read as 100 %: "all" is a promise.
  static std::string share(double part) {
    if (part >= 1) return "100 %";
    if (part <= 0) return "none";
    return part > 0.999 ? fmt::format("{:.3f} %", std::min(100 * part, 99.999))
                        : fmt::format("{:.1f} %", 100 * part);
  }

  void write_cost() {
    if (!report_.cost) return;
    const CostReport& cost = *report_.cost;
    std::string share = "not measured, as the target used next to no CPU time";
    if (cost.target_cpu_percent)
      share = fmt::format("{}{:.1f} % of the target's CPU time", cost.bpf_ns ? "" : "at least ", *cost.target_cpu_percent);
    if (cost.one_cpu_percent) share += fmt::format(" ({:.2g} % of one CPU)", *cost.one_cpu_percent);
    if (report_.to_ns - report_.from_ns != report_.duration_ns) share += ", over the whole recording";
    share += parts_of(cost);
    line(Paint::kPlain,
         fmt::format("Cost: {}: {} probe hits, {} in traps, {}; dwell itself used {}.", share,
                     grouped(static_cast<std::int64_t>(cost.probe_hits)), human_duration(cost.trap_ns),
                     time_in_bpf(cost.bpf_ns), human_duration(cost.dwell_cpu_ns)));
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }
  void heading(const std::string& text) { out_ += "\n" + style_.paragraph(Paint::kStrong, text); }

  // " (memory 1.2 %, page faults 0.3 %)": where more than one of them is worth a word.
  static std::string parts_of(const CostReport& cost) {
    constexpr double kWorthAWord = 0.05;
    std::string text;
    int told = 0;
    for (const CostPartReport& part : cost.parts) {
      if (part.target_cpu_percent.value_or(0) < kWorthAWord) continue;
      text += fmt::format("{}{} {:.1f} %", told++ ? ", " : "", printable(part.name), *part.target_cpu_percent);
    }
    return told > 1 ? " (" + text + ")" : "";
  }

  const MemoryReport& report_;
  const TextStyle& style_;
  std::string out_;
};

// A share of next to no CPU time tells nothing about the machine.
std::string overhead_words(const CostReport& cost) {
  std::string at_least = cost.bpf_ns ? "" : "at least ";
  if (cost.one_cpu_percent) return fmt::format("{}{:.2g} % of one CPU", at_least, *cost.one_cpu_percent);
  return fmt::format("{}{:.1f} % of its CPU", at_least, *cost.target_cpu_percent);
}

}  // namespace

std::string unseen_text(const MemoryReport& report, const TextStyle& style) {
  std::string text;
  for (const Unseen& unseen : report.unseen)
    text += style.paragraph(Paint::kWarning, fmt::format("NOT SEEN: {}: {}", printable(unseen.what), printable(unseen.why)));
  if (text.empty()) return "";
  return text + style.paragraph(Paint::kWarning, "What these allocate or free is not counted below.") + "\n";
}

std::string losses_text(const MemoryReport& report, const TextStyle& style) {
  TrustText text(report, style);
  text.write_losses();
  return text.take();
}

std::string children_text(const MemoryReport& report, const TextStyle& style) {
  TrustText text(report, style);
  text.write_children();
  return text.take();
}

std::string stack_quality_text(const MemoryReport& report, const TextStyle& style) {
  TrustText text(report, style);
  text.write_stack_quality();
  return text.take();
}

std::string recording_cost_text(const MemoryReport& report, const TextStyle& style) {
  TrustText text(report, style);
  text.write_cost();
  return text.take();
}

std::string completeness_line(const MemoryReport& report) {
  std::uint64_t lost = 0;
  for (const LossReport& loss : report.losses) lost += loss.count;
  std::string text = lost                      ? fmt::format("Not complete: {} lost (dwell report tells more)", counted(lost, "event"))
                     : report.unseen.empty() ? "Complete: no event lost"
                                             : "Of what is seen, no event was lost";
  constexpr double kAll = 0.9995;
  if (report.stacks.allocations > 0)
    text += report.stacks.complete_share >= kAll ? ", all stacks whole" : fmt::format(", {:.1f} % of stacks whole", 100 * report.stacks.complete_share);
  text += ".";
  if (report.cost && report.cost->target_cpu_percent) text += fmt::format(" Overhead {}.", overhead_words(*report.cost));
  return text;
}

std::string trust_text(const MemoryReport& report, const TextStyle& style) {
  return losses_text(report, style) + children_text(report, style) + stack_quality_text(report, style) +
         recording_cost_text(report, style);
}

}  // namespace dwell
