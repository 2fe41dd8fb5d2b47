// SPDX-License-Identifier: Apache-2.0
#include "ui/escape.h"
#include "userspace/go/record/report_text.h"
#include "userspace/go/goroutines/json.h"

namespace dwell {
namespace {

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json calls_json(const std::vector<GoCall>& calls) {
  Json json = Json::array();
  for (const GoCall& call : calls) json.push_back(go_call_json(call));
  return json;
}

Json creator_json(const GoCall& creator) {
  return creator.function.empty() ? Json(nullptr) : go_call_json(creator);
}

Json trend_json(const GoTrend& trend) {
  return {{"first", trend.first},
          {"last", trend.last},
          {"least", trend.least},
          {"most", trend.most},
          {"growth_per_minute", or_null(trend.per_minute)},
          {"grows", trend.grows}};
}

Json estimate_json(const GoEstimate& estimate) {
  return {{"bytes", estimate.bytes}, {"objects", estimate.objects}, {"bytes_error", estimate.error}};
}

Json one_creator_json(const GoCreatorReport& creator) {
  return {{"created_by", creator_json(creator.creator)},
          {"of_runtime", creator.of_runtime},
          {"count", trend_json(creator.count)},
          {"stuck", creator.stuck},
          {"abandoned", creator.abandoned},
          {"longest_wait_at_least_ns", or_null(creator.longest_wait_ns)},
          {"most",
           {{"count", creator.alike},
            {"state", printable(creator.state)},
            {"stack", calls_json(creator.calls)}}}};
}

Json heap_json(const std::optional<GoHeapReport>& heap) {
  if (!heap) return nullptr;
  Json sites = Json::array();
  for (const GoHeapSiteReport& site : heap->sites)
    sites.push_back({{"in_use", estimate_json(site.in_use)},
                     {"growth_per_minute", or_null(site.per_minute)},
                     {"allocated", estimate_json(site.allocated)},
                     {"stack", calls_json(site.calls)}});
  return {{"sample_bytes", heap->rate},
          {"window_ns", heap->window_ns},
          {"in_use", estimate_json(heap->in_use)},
          {"growth_per_minute", or_null(heap->per_minute)},
          {"allocated", estimate_json(heap->allocated)},
          {"sites", std::move(sites)}};
}

Json collector_json(const std::optional<GoCollectorReport>& collector) {
  if (!collector) return nullptr;
  return {{"cycles", collector->cycles},
          {"forced", collector->forced},
          {"pauses_ns", collector->pauses_ns},
          {"longest_pause_ns", or_null(collector->longest_ns)},
          {"all_pauses_known", collector->all_known},
          {"since_start", go_collector_json(collector->last)}};
}

Json contention_json(const std::vector<GoContentionReport>& reports) {
  Json list = Json::array();
  for (const GoContentionReport& report : reports) {
    Json sites = Json::array();
    for (const GoContentionSite& site : report.sites)
      sites.push_back({{"contentions", site.contentions},
                       {"delay_ns", site.ns},
                       {"contentions_within", site.contentions_within},
                       {"delay_ns_within", site.ns_within},
                       {"stack", calls_json(site.calls)}});
    list.push_back(
        {{"kind", report.kind == GoProfileKind::kMutex ? "mutex" : "block"}, {"sites", std::move(sites)}});
  }
  return list;
}

Json stuck_json(const std::optional<GoStuck>& stuck) {
  if (!stuck) return nullptr;
  return {{"goroutines", stuck->goroutines.size()},
          {"abandoned", stuck->abandoned.size()},
          {"not_judged", not_judged_json(stuck->not_judged)},
          {"proved", stuck->goroutines.empty() && stuck->abandoned.empty() ? Json(nullptr) : Json(stuck->proved)},
          {"reservation", stuck->reservation.empty() ? Json(nullptr) : Json(printable(stuck->reservation))},
          {"looks", stuck->looks},
          {"candidates", stuck->candidates}};
}

Json snapshots_json(const std::vector<GoSnapshot>& snapshots) {
  Json list = Json::array();
  for (const GoSnapshot& one : snapshots)
    list.push_back({{"time_ns", one.time_ns}, {"goroutines", one.goroutines}, {"collector_cycles", one.cycles ? Json(*one.cycles) : Json(nullptr)}});
  return list;
}

// The groups are those of a snapshot: dwell report --only go.
Json held_timers_json(const std::optional<GoHeld>& held) {
  if (!held || !held->timers) return nullptr;
  return {{"pending", held->timers->pending},
          {"useless_tickers", held->timers->useless_tickers},
          {"useless_timers", held->timers->useless_timers}};
}

Json held_contexts_json(const std::optional<GoHeld>& held) {
  if (!held || !held->contexts) return nullptr;
  return {{"alive", held->contexts->alive}, {"lost", held->contexts->lost}};
}

}  // namespace

Json go_reports_json(const std::vector<GoReport>& reports) {
  Json list = Json::array();
  for (const GoReport& report : reports) {
    Json creators = Json::array();
    for (const GoCreatorReport& creator : report.creators) creators.push_back(one_creator_json(creator));
    list.push_back({{"process", report.process},
                    {"go_version", printable(report.version)},
                    {"module", printable(report.module)},
                    {"note", report.note.empty() ? Json(nullptr) : Json(printable(report.note))},
                    {"looks", report.looks},
                    {"first_look_ns", report.first_ns},
                    {"last_look_ns", report.last_ns},
                    {"snapshots", snapshots_json(report.snapshots)},
                    {"goroutines", trend_json(report.goroutines)},
                    {"findings", findings_json(report.findings)},
                    {"stuck", stuck_json(report.stuck)},
                    {"timers", held_timers_json(report.held)},
                    {"contexts", held_contexts_json(report.held)},
                    {"creators", std::move(creators)},
                    {"heap", heap_json(report.heap)},
                    {"no_heap", report.no_heap.empty() ? Json(nullptr) : Json(printable(report.no_heap))},
                    {"contention", contention_json(report.contention)},
                    {"collector", collector_json(report.collector)},
                    {"read_again", report.lost.torn},
                    {"moved", report.lost.moved},
                    {"broken", report.lost.broken},
                    {"unreadable", report.lost.unreadable}});
  }
  return list;
}

Json go_diff_json(const GoDiff& diff) {
  Json creators = Json::array(), sites = Json::array();
  for (const GoDiffCreator& creator : diff.creators)
    creators.push_back({{"created_by", creator_json(creator.creator)},
                        {"before", creator.before},
                        {"after", creator.after},
                        {"stack", calls_json(creator.calls)}});
  for (const GoDiffSite& site : diff.sites)
    sites.push_back({{"before", estimate_json(site.before)},
                     {"after", estimate_json(site.after)},
                     {"stack", calls_json(site.calls)}});
  return {{"goroutines_before", diff.before},
          {"goroutines_after", diff.after},
          {"creators", std::move(creators)},
          {"heap_before", estimate_json(diff.heap_before)},
          {"heap_after", estimate_json(diff.heap_after)},
          {"heap", std::move(sites)}};
}

}  // namespace dwell
