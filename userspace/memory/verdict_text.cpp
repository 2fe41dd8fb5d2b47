// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/verdict_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/holding.h"
#include "userspace/memory/words.h"

namespace dwell {
namespace {

// A rate only where the growth was steady, and then the one that the rest of the sentence gives.
std::string trend_words(const KindReport& total, std::uint64_t range_ns) {
  switch (total.growth.shape) {
    case GrowthShape::kSteady: {
      double minutes = static_cast<double>(range_ns) / 6e10;
      return fmt::format(", steadily by {} a minute", human_bytes(net_bytes(total.figures) / minutes));
    }
    case GrowthShape::kLevelled:
      return fmt::format(", and has been level for the last {}", human_duration(total.growth.level_ns));
    case GrowthShape::kBursts:
      return ", in bursts";
    case GrowthShape::kUneven:
      return ", at no steady rate";
    case GrowthShape::kUnknown:
    case GrowthShape::kLevel:
    case GrowthShape::kFell:
      return "";
  }
  return "";
}

std::string sources_words(const std::vector<const SiteReport*>& sites, double net) {
  constexpr std::size_t kFew = 5;
  constexpr double kMost = 0.9;
  std::vector<double> growths;
  double gross = 0;  // what grew, without what shrank meanwhile
  for (const SiteReport* site : sites) growths.push_back(net_bytes(site->figures));
  for (double growth : growths) gross += std::max(growth, 0.0);
  gross = std::max(gross, net);
  std::sort(growths.begin(), growths.end(), std::greater<>());
  double sum = 0;
  std::size_t count = 0;
  while (count < growths.size() && count < kFew && growths[count] > 0 && sum < kMost * gross) sum += growths[count++];
  if (count == 0) return "";
  std::string share = sum >= 0.9995 * gross ? "all" : percent(sum, gross);
  const char* what = gross > 1.0005 * net ? "what grew" : "it";
  return fmt::format("; {} account{} for {} of {}", counted(count, "call site"), count == 1 ? "s" : "", share, what);
}

// What was allocated is not what the heap grew by: blocks from before were freed meanwhile.
std::string with_older_frees(const KindReport& total, const VerdictScope& scope) {
  const OlderFrees& older = *total.older;
  double net = net_bytes(total.figures);
  std::string in = human_duration(scope.range_ns);
  std::string kept = fmt::format("{} of what was allocated in {} is still in use", human_bytes(std::max(net, 0.0)), in);
  if (!older.live_change)
    return fmt::format("{}: {}; {} older blocks were freed, of unknown size, so it is not known whether the heap grew.", scope.name, kept,
                       count_text(static_cast<double>(older.frees)));
  std::string gone = fmt::format("older blocks of about {} were freed", human_bytes(std::max(net - *older.live_change, 0.0)));
  if (older.level) return fmt::format("{} is level: {}, and {}.", scope.name, kept, gone);
  return fmt::format("{} {} {} in {}: {}, and {}.", scope.name, *older.live_change > 0 ? "grew" : "shrank",
                     human_bytes(std::abs(*older.live_change)), in, kept, gone);
}

// By a count of its blocks, which is no estimate.
std::string counted_words(const CountedChange& counted, const VerdictScope& scope) {
  if (counted.level) return fmt::format("{} is level.", scope.name);
  return fmt::format("{} {} {} in {}, by a count of its blocks.", scope.name, counted.bytes > 0 ? "grew" : "shrank",
                     human_bytes(std::abs(counted.bytes)), human_duration(scope.range_ns));
}

std::string estimated(const KindReport& total, const VerdictScope& scope) {
  constexpr double kMatters = 64 << 10;
  const MemoryFigures& figures = total.figures;
  std::string in = human_duration(scope.range_ns), all = bytes_text(figures.allocated_bytes, figures.allocated_error);
  std::string text = total.counted ? counted_words(*total.counted, scope) + " " : scope.name + ": ";
  if (!figures.retained_known) return text + fmt::format("{} were allocated in {}; how much of that is still in use is not known.", all, in);
  if (total.counted) {
    text += fmt::format("Of what was allocated in {}, {} is still in use, by estimate.", total.counted->level ? in : "that time", retained_text(figures));
  } else {
    text += fmt::format("{} of what was allocated in {} is still in use{}.", retained_text(figures), in, figures.range_only ? "; both are estimates" : ", by estimate");
  }
  if (total.unnamed_growth > kMatters) {
    std::string sizes = total.unnamed_sizes.empty() ? "" : fmt::format(", mostly in blocks of {}", bytes_text(static_cast<double>(total.unnamed_sizes[0].usable)));
    text += fmt::format(" Another {} came from call sites that were not met{}; --exact would name them.", bytes_text(total.unnamed_growth), sizes);
  }
  return text;
}

std::string change_verdict(const KindReport& total, const VerdictScope& scope) {
  const MemoryFigures& figures = total.figures;
  double net = net_bytes(figures);
  if (scope.thread)
    return fmt::format("{}: thread {} retains {} in {}.", scope.name, *scope.thread, bytes_text(figures.retained_bytes, figures.retained_error),
                       counted(static_cast<std::size_t>(figures.retained_blocks), "block"));
  if (figures.estimated) return estimated(total, scope);
  if (total.older) return with_older_frees(total, scope);
  if (net == 0) return fmt::format("{} is as large as it was {} before.", scope.name, human_duration(scope.range_ns));
  std::string text = fmt::format("{} {} {} in {}", scope.name, net > 0 ? "grew" : "shrank", human_bytes(std::abs(net)), human_duration(scope.range_ns));
  text += trend_words(total, scope.range_ns);
  if (net > 0) text += sources_words(scope.sites, net);
  return text + ".";
}

// Proved by several looks, once the probes were gone.
std::string leaked_words(const KindReport& total) {
  constexpr double kMatters = 64 << 10, kShareThatMatters = 0.01;
  double leaked = total.leaked_bytes, retained = total.figures.retained_bytes;
  if (leaked < kMatters && leaked < kShareThatMatters * retained) return "";
  if (leaked <= 0) return "";
  if (leaked >= kMostOfIt * retained) return " All of that is leaked: nothing leads there any more.";
  return fmt::format(" {}{} are leaked: nothing leads there any more.", total.figures.estimated ? "About " : "", human_bytes(leaked));
}

}  // namespace

std::string kind_verdict(const KindReport& total, const VerdictScope& scope) {
  return change_verdict(total, scope) + (scope.thread ? "" : leaked_words(total));
}

std::string nothing_seen(const MemoryReport& report) {
  if (!report.unseen.empty()) return "No allocation was seen.";
  // Pages of what was reserved before, and made usable by mprotect, say.
  for (const ProcessBalance& balance : report.balances)
    if (!is_level(balance)) return "No allocation and no mapping was seen in this time.";
  return report.losses.empty() ? "No memory was allocated or freed." : "No allocation was seen; some events were lost.";
}

}  // namespace dwell
