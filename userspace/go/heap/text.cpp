// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/text.h"

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

std::string gogc_words(const std::optional<std::int32_t>& percent) {
  if (!percent) return "";
  return *percent < 0 ? " (GOGC off)" : fmt::format(" (GOGC {})", *percent);
}

std::string bytes(std::int64_t value) { return human_bytes(static_cast<double>(value)); }

}  // namespace

std::string heap_profile_text(const HeapProfile& profile, std::size_t sites, const TextStyle& style) {
  std::string out =
      "\n" +
      style.paragraph(Paint::kStrong, fmt::format("Heap by call site, as of the last collection: {} in use",
                                                  bytes(profile.total.in_use_bytes)));
  TextTable table({{"#"}, {"in use"}, {"share"}, {"objects", 2}, {"allocated", 1}, {"call site"}});
  std::size_t width = table.last_column_width(style);
  for (std::size_t i = 0; i < std::min(sites, profile.sites.size()); ++i) {
    const HeapSite& site = profile.sites[i];
    std::string calls = printable(go_call_site(site.calls));
    table.add({{std::to_string(i + 1)},
               {bytes(site.scaled.in_use_bytes)},
               {percent(static_cast<double>(site.scaled.in_use_bytes),
                        static_cast<double>(profile.total.in_use_bytes))},
               {grouped(site.scaled.in_use_objects)},
               {bytes(site.scaled.allocated_bytes)},
               {width ? cut_end(calls, width) : calls}});
  }
  out += table.write(style);
  if (profile.sites.size() > sites)
    out += style.paragraph(Paint::kDim,
                           fmt::format("{} call sites are not shown.", profile.sites.size() - sites));
  if (profile.rate > 1)
    out += style.paragraph(Paint::kDim,
                           fmt::format("Estimated by the runtime's own samples, one in {} allocated.",
                                       bytes(static_cast<std::int64_t>(profile.rate))));
  return out;
}

std::string contention_text(const ContentionProfile& profile, std::size_t sites, const TextStyle& style) {
  bool locks = profile.kind == GoProfileKind::kMutex;
  std::string out =
      "\n" + style.paragraph(Paint::kStrong, locks ? "Waits for locks, by who let others wait (mutex profile)"
                                                   : "Waits by call site (block profile)");
  TextTable table({{"#"}, {"waited"}, {"times"}, {"call site"}});
  std::size_t width = table.last_column_width(style);
  double ns = profile.ticks_per_second ? 1e9 / static_cast<double>(profile.ticks_per_second) : 0;
  for (std::size_t i = 0; i < std::min(sites, profile.sites.size()); ++i) {
    const ContentionSite& site = profile.sites[i];
    std::string calls = printable(go_call_site(site.calls));
    double waited_ns =
        std::clamp(static_cast<double>(site.ticks) * ns * static_cast<double>(profile.scale), 0.0, 1e18);
    table.add({{std::to_string(i + 1)},
               {ns > 0 ? human_duration(static_cast<std::uint64_t>(waited_ns)) : "-"},  // else how long a tick is
               {human_count(static_cast<double>(site.contentions) * static_cast<double>(profile.scale))},
               {width ? cut_end(calls, width) : calls}});
  }
  out += table.write(style);
  if (profile.sites.size() > sites)
    out += style.paragraph(Paint::kDim,
                           fmt::format("{} call sites are not shown.", profile.sites.size() - sites));
  return out;
}

std::string collector_text(const Collector& collector, const TextStyle& style) {
  std::string text = fmt::format(
      "Collector: {} cycles ({} asked for by the program), {} stopped in all, {:.2f} % of the CPU time",
      grouped(collector.cycles), grouped(collector.forced), human_duration(collector.pauses_ns),
      collector.cpu_share * 100);
  if (!collector.last.empty()) {
    auto longest =
        std::max_element(collector.last.begin(), collector.last.end(),
                         [](const CollectorPause& a, const CollectorPause& b) { return a.ns < b.ns; });
    text += fmt::format("; longest stop of the last {} cycles {}, the last at {}", collector.last.size(),
                        human_duration(longest->ns),
                        utc_time(static_cast<std::int64_t>(collector.last[0].end_unix_ns)));
  }
  if (collector.live_bytes && collector.heap_bytes)
    text += fmt::format("; {} live, heap {} now{}{}", human_bytes(static_cast<double>(*collector.live_bytes)),
                        human_bytes(static_cast<double>(*collector.heap_bytes)),
                        collector.goal_bytes ? fmt::format(", goal {}", human_bytes(static_cast<double>(*collector.goal_bytes))) : "",
                        gogc_words(collector.percent));
  if (collector.idle_bytes) text += fmt::format(", {} idle and not yet given back", human_bytes(static_cast<double>(*collector.idle_bytes)));
  if (collector.limit)
    text += fmt::format(", memory limit {}", human_bytes(static_cast<double>(*collector.limit)));
  if (collector.group_limit)
    text += fmt::format(", control group {} of {}", human_bytes(static_cast<double>(collector.group_in_use.value_or(0))), human_bytes(static_cast<double>(*collector.group_limit)));
  return "\n" + style.paragraph(Paint::kPlain, text + ".");
}

}  // namespace dwell
