// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/json.h"

#include <cmath>

#include "ui/escape.h"
#include "ui/json_parts.h"
#include "ui/json_stream.h"
#include "userspace/memory/balance_text.h"

namespace dwell {
namespace {

// Whole numbers stay whole: what was counted exactly must not look estimated.
Json number(double value) {
  constexpr double kExactUpTo = 9007199254740992.0;  // 2^53
  if (value == std::floor(value) && std::abs(value) <= kExactUpTo) return static_cast<std::int64_t>(value);
  return value;
}

template <typename T>
Json optional_number(const std::optional<T>& value) {
  return value ? number(static_cast<double>(*value)) : Json(nullptr);
}

Json estimate_json(const MemoryFigures& f) {
  return {{"retained_known", f.retained_known},
          {"range_only", f.range_only},
          {"retained_bytes_low", number(f.retained_low)},
          {"retained_bytes_high", number(f.retained_high)},
          {"allocated_bytes_standard_error", number(f.allocated_error)}};
}

Json figures_json(const MemoryFigures& f) {
  Json json{{"retained_bytes", number(f.retained_bytes)},
          {"retained_blocks", number(f.retained_blocks)},
          {"retained_bytes_standard_error", number(f.retained_error)},
          {"growth_bytes_per_minute", optional_number(f.growth_per_minute)},
          {"allocated_bytes", number(f.allocated_bytes)},
          {"allocations", number(f.allocations)},
          {"freed_bytes", number(f.freed_bytes)},
          {"frees", number(f.frees)},
          {"temporary_bytes", number(f.temporary_bytes)},
          {"temporary_blocks", number(f.temporary_blocks)},
          {"peak_bytes", number(f.peak_bytes)},
          {"peak_blocks", number(f.peak_blocks)},
          {"inherited_bytes", number(f.inherited_bytes)},
          {"inherited_blocks", number(f.inherited_blocks)},
          {"dropped_bytes", number(f.dropped_bytes)},
          {"dropped_blocks", number(f.dropped_blocks)}};
  if (!f.estimated) return json;
  for (const char* unknown : {"temporary_bytes", "temporary_blocks", "peak_bytes", "peak_blocks"}) json[unknown] = nullptr;
  json["estimate"] = estimate_json(f);
  return json;
}

Json older_json(const std::optional<OlderFrees>& older) {
  if (!older) return nullptr;
  return {{"frees", older->frees}, {"live_bytes_change", optional_number(older->live_change)}, {"level", older->level}};
}

Json kind_json(const KindReport& kind) {
  Json json{{"process", kind.process},
          {"kind", name_of(kind.kind)},
          {"peak_time_ns", kind.peak_time_ns},
          {"growth", {{"shape", name_of(kind.growth.shape)}, {"level_ns", kind.growth.level_ns}}},
          {"leaked_bytes", number(kind.leaked_bytes)},
          {"older_frees", older_json(kind.older)},
          {"figures", figures_json(kind.figures)}};
  if (kind.unnamed_growth > 0) json["unnamed_growth_bytes"] = number(kind.unnamed_growth);
  for (const UnnamedSize& size : kind.unnamed_sizes) json["unnamed_blocks"].push_back({{"size", size.usable}, {"bytes", number(size.bytes)}});
  return json;
}

Json holding_json(const std::optional<SiteHolding>& holding) {
  if (!holding) return nullptr;
  Json by = Json::array();
  for (const auto& [name, share] : holding->by) by.push_back({{"name", printable(name)}, {"share", share}});
  return {{"leaked_share", holding->lost_share}, {"by", std::move(by)}};
}

Json site_json(const SiteReport& site) {
  return {{"process", site.process},
          {"kind", name_of(site.kind)},
          {"figures", figures_json(site.figures)},
          {"oldest_age_ns", site.oldest_age_ns ? Json(*site.oldest_age_ns) : Json(nullptr)},
          {"median_age_ns", site.median_age_ns ? Json(*site.median_age_ns) : Json(nullptr)},
          {"holding", holding_json(site.holding)},
          {"stacks", site.stacks},
          {"incomplete", site.incomplete.empty() ? Json(nullptr) : Json(printable(site.incomplete))},
          {"recursion_folded", site.folded},
          {"stack", stack_json(site.stack)}};
}

Json share_json(const ProcessShare& share) {
  return {{"process", share.process}, {"growth", name_of(share.growth)}, {"figures", figures_json(share.figures)}};
}

Json loss_json(const LossReport& loss) {
  return {{"name", printable(loss.name)},
          {"count", loss.count},
          {"first_ns", loss.first_ns},
          {"last_ns", loss.last_ns},
          {"consequence", printable(loss.consequence)}};
}

Json unseen_json(const Unseen& unseen) {
  return {{"subject", printable(unseen.subject)}, {"what", printable(unseen.what)}, {"why", printable(unseen.why)}};
}

Json children_json(const std::optional<ChildReport>& children) {
  if (!children) return nullptr;
  const ChildCounts& counts = children->counts;
  Json json{{"asked", counts.asked}, {"forked", counts.forked}, {"spawned", counts.spawned}};
  if (!counts.asked) return json;
  json["followed"] = counts.followed;
  json["ended_too_early"] = counts.ended_too_early;
  json["failed"] = counts.failed;
  json["without_room"] = counts.without_room;
  return json;
}

Json cost_json(const std::optional<CostReport>& cost) {
  if (!cost) return nullptr;
  Json parts = Json::array();
  for (const CostPartReport& part : cost->parts)
    parts.push_back({{"part", printable(part.name)}, {"ns", part.ns}, {"target_cpu_percent", part.target_cpu_percent ? Json(*part.target_cpu_percent) : Json(nullptr)}});
  Json course = Json::array();
  for (const CostMoment& moment : cost->course)
    course.push_back({{"time_ns", moment.time_ns}, {"probes_ns", moment.probes_ns}, {"target_cpu_ns", moment.target_cpu_ns}});
  return {{"target_cpu_percent", cost->target_cpu_percent ? Json(*cost->target_cpu_percent) : Json(nullptr)},
          {"probe_hits", cost->probe_hits},
          {"trap_ns", cost->trap_ns},
          {"bpf_ns", time_json(cost->bpf_ns)},
          {"target_cpu_ns", cost->target_cpu_ns},
          {"dwell_cpu_ns", cost->dwell_cpu_ns},
          {"parts", parts},
          {"course", course}};
}

Json stacks_json(const StackQuality& quality) {
  Json incomplete = Json::array();
  for (const auto& [reason, count] : quality.incomplete) {
    incomplete.push_back({{"reason", printable(reason)}, {"allocations", number(count)}});
  }
  return {{"complete_share", quality.complete_share},
          {"incomplete", std::move(incomplete)},
          {"unnamed_share", quality.unnamed_share}};
}

Json surprises_json(const Surprises& odd) {
  return {{"unknown_frees", odd.unknown_frees},
          {"implied_frees", odd.implied_frees},
          {"orphan_reallocs", odd.orphan_reallocs},
          {"refused_blocks", odd.refused_blocks},
          {"cache_frees", odd.cache_frees}};
}

Json diff_site_json(const DiffSite& site) {
  return {{"kind", name_of(site.kind)},
          {"retained_bytes_change", number(site.after.retained_bytes - site.before.retained_bytes)},
          {"retained_blocks_change", number(site.after.retained_blocks - site.before.retained_blocks)},
          {"before", site.in_before ? figures_json(site.before) : Json(nullptr)},
          {"after", site.in_after ? figures_json(site.after) : Json(nullptr)},
          {"stack", stack_json(site.stack)}};
}

Json diff_total_json(const DiffSite& total) {
  return {{"kind", name_of(total.kind)},
          {"retained_bytes_change", number(total.after.retained_bytes - total.before.retained_bytes)},
          {"retained_blocks_change", number(total.after.retained_blocks - total.before.retained_blocks)},
          {"before", figures_json(total.before)},
          {"after", figures_json(total.after)}};
}

}  // namespace

void write_memory_json(const MemoryReport& report, const Json& more, const TextSink& sink) {
  JsonStream json(sink);
  json.member("format", "dwell memory report");
  json.member("version", kReportJsonVersion);
  json.member("recording", recording_json(report.info, report.duration_ns));
  json.member("processes", list(report.processes, process_json));
  json.member("range", {{"from_ns", report.from_ns}, {"to_ns", report.to_ns}});
  json.member("ended", report.ended);
  json.member("end_reason", report.end_reason.empty() ? Json(nullptr) : Json(printable(report.end_reason)));
  json.member("unseen", list(report.unseen, unseen_json));
  json.member("notes", list(report.notes, text_json));
  json.member("events", number(report.events));
  json.member("totals", list(report.totals, kind_json));
  json.member("process_memory", list(report.balances, balance_json));
  json.member("sorted_by", name_of(report.sort));
  json.list("sites", report.sites, site_json);
  json.member("left_out", list(report.left_out, kind_json));
  json.member("sites_left_out", report.sites_left_out);
  json.member("losses", list(report.losses, loss_json));
  json.member("children", children_json(report.children));
  json.member("surprises", surprises_json(report.surprises));
  json.member("stacks", stacks_json(report.stacks));
  json.member("cost", cost_json(report.cost));
  json.members(more);
  json.end();
}

void write_memory_diff_json(const MemoryDiff& diff, const Json& more, const TextSink& sink) {
  JsonStream json(sink);
  json.member("format", "dwell memory difference");
  json.member("version", kReportJsonVersion);
  json.member("relation", name_of(diff.relation));
  json.member("before", recording_json(diff.before, diff.before_duration_ns));
  json.member("after", recording_json(diff.after, diff.after_duration_ns));
  json.member("notes", list(diff.notes, text_json));
  json.member("totals", list(diff.totals, diff_total_json));
  json.list("sites", diff.sites, diff_site_json);
  json.member("before_process_memory", list(diff.before_balances, balance_json));
  json.member("after_process_memory", list(diff.after_balances, balance_json));
  json.members(more);
  json.end();
}

Json by_program_json(const MemoryReport& report) {
  Json totals = Json::array(), sites = Json::array();
  for (const KindReport& total : report.totals) {
    if (total.shares.empty()) continue;
    Json one = kind_json(total);
    one["processes"] = list(total.shares, share_json);
    totals.push_back(std::move(one));
  }
  for (const SiteReport& site : report.sites) {
    if (site.shares.empty()) continue;
    Json one = site_json(site);
    one["processes"] = list(site.shares, share_json);
    sites.push_back(std::move(one));
  }
  return {{"totals", std::move(totals)}, {"sites", std::move(sites)}};
}

std::string memory_json(const MemoryReport& report) {
  std::string text;
  write_memory_json(report, Json::object(), [&](std::string_view part) { text += part; });
  return text;
}

std::string memory_diff_json(const MemoryDiff& diff) {
  std::string text;
  write_memory_diff_json(diff, Json::object(), [&](std::string_view part) { text += part; });
  return text;
}

}  // namespace dwell
