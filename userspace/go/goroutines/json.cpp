// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/json.h"

#include "ui/escape.h"
#include "userspace/go/contexts/text.h"

namespace dwell {
namespace {

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json channel_json(const GoChannel& channel) {
  return {{"address", channel.address},         {"operation", channel.sends ? "send" : "receive"},
          {"length", channel.length},           {"capacity", channel.capacity},
          {"closed", channel.closed},           {"receivers_waiting", channel.receivers},
          {"senders_waiting", channel.senders}, {"fires_at_monotonic_ns", or_null(channel.fires_at_ns)}};
}

Json wait_json(const GoWait& wait) {
  Json channels = Json::array();
  for (const GoChannel& channel : wait.channels) channels.push_back(channel_json(channel));
  Json lock = nullptr, descriptor = nullptr;
  if (wait.lock)
    lock = {{"kind", wait.lock->kind.empty() ? Json(nullptr) : Json(wait.lock->kind)},
            {"address", wait.lock->address},
            {"state", wait.lock->state}};
  if (wait.descriptor)
    descriptor = {
        {"fd", wait.descriptor->fd},
        {"operation", wait.descriptor->writes ? "write" : "read"},
        {"what", wait.descriptor->words.empty() ? Json(nullptr) : Json(printable(wait.descriptor->words))}};
  return {{"channels", std::move(channels)},
          {"more_channels", wait.more_channels},
          {"lock", std::move(lock)},
          {"descriptor", std::move(descriptor)},
          {"until_monotonic_ns", or_null(wait.until_ns)}};
}

Json labels_json(const GoLabels& labels) {
  Json json = Json::object();
  for (const auto& [key, value] : labels) json[printable(key)] = printable(value);
  return json;
}

Json example_json(const GoroutineExample& example) {
  return {{"id", example.id},
          {"parent", example.parent ? Json(example.parent) : Json(nullptr)},
          {"thread", example.thread ? Json(example.thread) : Json(nullptr)},
          {"waiting_at_least_ns", or_null(example.waiting_for_ns)},
          {"wait", wait_json(example.wait)},
          {"labels", labels_json(example.labels)}};
}

const char* name_of(GoStackState state) {
  switch (state) {
    case GoStackState::kWhole:
      return "whole";
    case GoStackState::kRunning:
      return "running";
    case GoStackState::kMoved:
      return "moved";
    case GoStackState::kBroken:
      return "broken";
    case GoStackState::kTooMany:
      return "too many";
  }
  return "";
}

Json counts_json(const HeapCounts& counts) {
  return {{"in_use_bytes", counts.in_use_bytes},
          {"in_use_objects", counts.in_use_objects},
          {"allocated_bytes", counts.allocated_bytes},
          {"allocated_objects", counts.allocated_objects}};
}

Json heap_json(const std::optional<HeapProfile>& heap) {
  if (!heap) return nullptr;
  Json sites = Json::array();
  for (const HeapSite& site : heap->sites) {
    Json stack = Json::array();
    for (const GoCall& call : site.calls) stack.push_back(go_call_json(call));
    sites.push_back({{"estimate", counts_json(site.scaled)},
                     {"sampled", counts_json(site.sampled)},
                     {"stack", std::move(stack)}});
  }
  return {{"sample_bytes", heap->rate}, {"estimate", counts_json(heap->total)}, {"sites", std::move(sites)}};
}

Json contention_json(const std::vector<ContentionProfile>& profiles) {
  Json list = Json::array();
  for (const ContentionProfile& profile : profiles) {
    Json sites = Json::array();
    for (const ContentionSite& site : profile.sites) {
      Json stack = Json::array();
      for (const GoCall& call : site.calls) stack.push_back(go_call_json(call));
      sites.push_back(
          {{"contentions", site.contentions}, {"ticks", site.ticks}, {"stack", std::move(stack)}});
    }
    list.push_back({{"kind", profile.kind == GoProfileKind::kMutex ? "mutex" : "block"},
                    {"ticks_per_second", profile.ticks_per_second},
                    {"scale", profile.scale},
                    {"sites", std::move(sites)}});
  }
  return list;
}

Json stuck_json(const std::optional<StuckFinding>& stuck) {
  if (!stuck) return nullptr;
  return {{"goroutines", stuck->goroutines.size()},
          {"abandoned", stuck->abandoned.size()},
          {"not_judged", not_judged_json(stuck->not_judged)},
          {"proved", stuck->any_stuck() ? Json(stuck->proved) : Json(nullptr)},
          {"reservation", stuck->reservation.empty() ? Json(nullptr) : Json(stuck->reservation)},
          {"looks", stuck->looks},
          {"candidates", stuck->candidates},
          {"copied_bytes", stuck->copied_bytes},
          {"took_ns", stuck->took_ns}};
}

const char* name_of(GoTimerKind kind) {
  switch (kind) {
    case GoTimerKind::kChannel:
      return "channel";
    case GoTimerKind::kFunction:
      return "function";
    case GoTimerKind::kContext:
      return "context";
    case GoTimerKind::kSleep:
      return "sleep";
    case GoTimerKind::kDescriptor:
      return "descriptor";
    case GoTimerKind::kOther:
      return "runtime";
  }
  return "";
}

Json timers_json(const std::optional<TimerReport>& timers) {
  if (!timers) return nullptr;
  Json groups = Json::array();
  for (const GoTimerGroup& group : timers->groups) {
    Json stack = Json::array();
    for (const GoCall& call : group.calls) stack.push_back(go_call_json(call));
    groups.push_back(
        {{"kind", name_of(group.kind)},
         {"callback", printable(group.callback)},
         {"period_ns", group.period_ns ? Json(group.period_ns) : Json(nullptr)},
         {"function", group.function.function.empty() ? Json(nullptr) : go_call_json(group.function)},
         {"count", group.count},
         {"soonest_monotonic_ns", group.soonest_ns},
         {"latest_monotonic_ns", group.latest_ns},
         {"waited_for", group.waited_for},
         {"not_received", group.not_taken},
         {"useless", or_null(group.useless)},
         {"stack", std::move(stack)},
         {"created_by", group.creator.function.empty() ? Json(nullptr) : go_call_json(group.creator)}});
  }
  Json makers = Json::array();
  for (const TimerMaker& maker : timers->makers) {
    Json stack = Json::array();
    for (const GoCall& call : maker.calls) stack.push_back(go_call_json(call));
    makers.push_back({{"in_use_bytes", maker.in_use_bytes}, {"stack", std::move(stack)}});
  }
  return {{"pending", timers->pending},
          {"torn", timers->torn},
          {"useless_tickers", timers->useless_tickers},
          {"useless_timers", timers->useless_timers},
          {"makers", std::move(makers)},
          {"groups", std::move(groups)}};
}

Json contexts_json(const std::optional<ContextReport>& contexts) {
  if (!contexts) return nullptr;
  Json groups = Json::array();
  for (const GoContextGroup& group : contexts->groups) {
    Json stack = Json::array();
    for (const GoCall& call : group.calls) stack.push_back(go_call_json(call));
    groups.push_back(
        {{"kind", context_kind_words(group.kind)},
         {"parents", printable(group.parents)},
         {"has_parent", group.has_parent},
         {"count", group.count},
         {"children", group.children},
         {"soonest_monotonic_ns", or_null(group.soonest_ns)},
         {"latest_monotonic_ns", or_null(group.latest_ns)},
         {"waited_for", group.waited_for},
         {"lost", or_null(group.lost)},
         {"stack", std::move(stack)},
         {"created_by", group.creator.function.empty() ? Json(nullptr) : go_call_json(group.creator)}});
  }
  return {{"alive", contexts->alive}, {"lost", contexts->lost}, {"groups", std::move(groups)}};
}

Json group_json(const GoroutineGroup& group) {
  Json stack = Json::array(), examples = Json::array();
  for (const GoCall& call : group.calls) stack.push_back(go_call_json(call));
  for (const GoroutineExample& example : group.examples) examples.push_back(example_json(example));
  Json labels = Json::array();
  for (const auto& [set, count] : group.labels)
    labels.push_back({{"count", count}, {"labels", labels_json(set)}});
  return {{"count", group.count},
          {"state", printable(group.state)},
          {"waits", group.waits},
          {"stuck", group.stuck},
          {"abandoned", group.abandoned},
          {"of_runtime", group.of_runtime},
          {"longest_wait_at_least_ns", or_null(group.longest_wait_ns)},
          {"shortest_wait_at_least_ns", or_null(group.shortest_wait_ns)},
          {"without_time", group.without_time},
          {"stack_state", name_of(group.stack_state)},
          {"stack", std::move(stack)},
          {"created_by", group.creator.function.empty() ? Json(nullptr) : go_call_json(group.creator)},
          {"labels", std::move(labels)},
          {"examples", std::move(examples)}};
}

}  // namespace

Json go_call_json(const GoCall& call) {
  return {{"function", printable(call.function)},
          {"file", call.file.empty() ? Json(nullptr) : Json(printable(call.file))},
          {"line", call.line ? Json(call.line) : Json(nullptr)},
          {"inlined", call.inlined},
          {"hidden", call.hidden}};
}

Json go_collector_json(const std::optional<Collector>& collector) {
  if (!collector) return nullptr;
  Json pauses = Json::array();
  for (const CollectorPause& pause : collector->last)
    pauses.push_back({{"end_unix_ns", pause.end_unix_ns}, {"ns", pause.ns}});
  return {{"cycles", collector->cycles},
          {"forced", collector->forced},
          {"pauses_ns", collector->pauses_ns},
          {"cpu_share", collector->cpu_share},
          {"gogc", or_null(collector->percent)},
          {"memory_limit", or_null(collector->limit)},
          {"live_bytes", or_null(collector->live_bytes)},
          {"heap_bytes", or_null(collector->heap_bytes)},
          {"goal_bytes", or_null(collector->goal_bytes)},
          {"idle_bytes", or_null(collector->idle_bytes)},
          {"group_limit", or_null(collector->group_limit)},
          {"group_in_use", or_null(collector->group_in_use)},
          {"last_pauses", std::move(pauses)}};
}

Json not_judged_json(const GoNotJudged& not_judged) {
  return {{"conditions", not_judged.conditions},
          {"locks_of_globals", not_judged.global_locks},
          {"locks_in_shared_blocks", not_judged.shared_locks}};
}

Json findings_json(const std::vector<Finding>& findings) {
  static constexpr const char* kWeights[] = {"stuck", "limit", "pile-up", "waste"};
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json evidence = Json::array();
    for (const std::string& sentence : finding.evidence) evidence.push_back(printable(sentence));
    list.push_back({{"weight", kWeights[static_cast<std::size_t>(finding.weight)]},
                    {"proved", finding.proved},
                    {"headline", printable(finding.headline)},
                    {"evidence", std::move(evidence)},
                    {"command", printable(finding.command)}});
  }
  return list;
}

std::string goroutines_json(const GoroutineReport& report) {
  Json groups = Json::array();
  for (const GoroutineGroup& group : report.groups) groups.push_back(group_json(group));
  Json not_seen = Json::array();
  for (const std::string& part : report.not_seen) not_seen.push_back(printable(part));
  Json json = {{"format", "dwell goroutines"},
               {"version", kGoroutinesJsonVersion},
               {"pid", report.pid},
               {"program", printable(report.program)},
               {"command_line", printable(report.command_line)},
               {"go_version", printable(report.go_version)},
               {"module", printable(report.module)},
               {"note", report.note.empty() ? Json(nullptr) : Json(printable(report.note))},
               {"time_unix_ns", report.time_unix_ns},
               {"time_monotonic_ns", report.time_monotonic_ns},
               {"look_ns", report.look_ns},
               {"goroutines", report.figures.alive},
               {"read_again", report.figures.torn},
               {"moved", report.figures.moved},
               {"broken", report.figures.broken},
               {"unreadable", report.figures.unreadable},
               {"findings", findings_json(report.findings)},
               {"not_seen", not_seen},
               {"stuck", stuck_json(report.stuck)},
               {"heap", heap_json(report.heap)},
               {"no_heap", report.no_heap.empty() ? Json(nullptr) : Json(printable(report.no_heap))},
               {"holders", holders_json(report.holders)},
               {"timers", timers_json(report.timers)},
               {"contexts", contexts_json(report.contexts)},
               {"contention", contention_json(report.contention)},
               {"collector", go_collector_json(report.collector)},
               {"groups", std::move(groups)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace dwell
