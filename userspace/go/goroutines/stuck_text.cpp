// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/stuck_text.h"

#include <fmt/core.h>

#include "ui/escape.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::string counted_goroutines(std::uint64_t count) {
  return fmt::format("{} goroutine{}", grouped(static_cast<std::int64_t>(count)), count == 1 ? "" : "s");
}

std::string in_brackets(const std::string& evidence) { return evidence.empty() ? "" : " (" + evidence + ")"; }

std::string never_words(const StuckFigures& figures) {
  const char* them = figures.never == 1 ? "it waits" : "they wait";
  return fmt::format("{}{} {}{} never wake: nothing that may still run leads to what {} for{}.",
                     figures.of_the_past ? "At the end " : "", counted_goroutines(figures.never),
                     figures.of_the_past ? "could" : "can", figures.proved ? "" : " very likely", them,
                     in_brackets(figures.evidence));
}

std::string abandoned_words(const StuckFigures& figures) {
  bool one = figures.abandoned == 1;
  const char* wait = figures.of_the_past ? "waited" : one ? "waits" : "wait";
  return fmt::format("{}{} {} only for lost contexts{}: nothing has the function that would cancel them, so only the "
                     "end of a parent context wakes {}.",
                     figures.of_the_past ? "At the end " : "", counted_goroutines(figures.abandoned), wait,
                     figures.proved ? "" : ", very likely", one ? "it" : "them");
}

std::string nothing_words(const StuckFigures& figures) {
  return fmt::format("{} goroutine {} proved stuck, of {} that {} for a channel or a lock{}.",
                     figures.of_the_past ? "At the end no" : "No", figures.of_the_past ? "was" : "is",
                     grouped(static_cast<std::int64_t>(figures.candidates)), figures.of_the_past ? "waited" : "wait",
                     in_brackets(figures.evidence));
}

std::string not_judged_words(const GoNotJudged& not_judged) {
  std::string text;
  auto add = [&](std::uint64_t count, const char* what) {
    if (count) text += fmt::format("{}{} for {}", text.empty() ? "" : ", ", grouped(static_cast<std::int64_t>(count)), what);
  };
  add(not_judged.conditions, "a sync.Cond that was not found on their stacks");
  add(not_judged.global_locks, "a lock that a global variable leads to");
  add(not_judged.shared_locks, "a lock that shares its block of memory with other small objects");
  return "Not judged, whether stuck or not: waits " + text + ".";
}

}  // namespace

StuckFigures figures_of(const StuckFinding& finding) {
  StuckFigures figures{finding.goroutines.size(), finding.abandoned.size(), finding.candidates, finding.not_judged,
                       finding.proved, finding.reservation, "", false};
  figures.evidence = fmt::format("{} look{}, {} of memory copied and marked in {}", finding.looks,
                                 finding.looks == 1 ? "" : "s", human_bytes(static_cast<double>(finding.copied_bytes)),
                                 human_duration(finding.took_ns));
  return figures;
}

StuckFigures figures_of(const GoStuck& recorded) {
  return {recorded.goroutines.size(), recorded.abandoned.size(), recorded.candidates, recorded.not_judged,
          recorded.proved, recorded.reservation, "", true};
}

std::string stuck_text(const StuckFigures& figures, const TextStyle& style) {
  std::string text;
  if (figures.never) text += style.paragraph(Paint::kWarning, never_words(figures));
  if (figures.abandoned) text += style.paragraph(Paint::kWarning, abandoned_words(figures));
  if (!figures.never && !figures.abandoned) text += style.paragraph(Paint::kPlain, nothing_words(figures));
  if (!figures.reservation.empty())
    text += style.paragraph(Paint::kDim, "Not proved: " + printable(figures.reservation) + ".");
  if (figures.not_judged.any()) text += style.paragraph(Paint::kDim, not_judged_words(figures.not_judged));
  return text;
}

}  // namespace dwell
