// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/json.h"

#include <nlohmann/json.hpp>

#include "ui/escape.h"

namespace dwell {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(printable(text)); }

Json stack_json(const std::vector<ReportFrame>& stack) {
  Json frames = Json::array();
  for (const ReportFrame& frame : stack)
    frames.push_back({{"function", printable(frame.function)},
                      {"file", text_or_null(frame.file)},
                      {"line", frame.line ? Json(frame.line) : Json(nullptr)},
                      {"module", text_or_null(frame.module)},
                      {"offset", frame.offset},
                      {"named", frame.named},
                      {"inlined", frame.inlined}});
  return frames;
}

// The buckets that are not empty, with their lower bounds in nanoseconds.
Json histogram_json(const TimeHistogram& histogram) {
  Json buckets = Json::array();
  for (std::size_t i = 0; i < histogram.size(); ++i)
    if (histogram[i])
      buckets.push_back({{"from_ns", i ? std::uint64_t{1} << i : 0}, {"count", histogram[i]}});
  return buckets;
}

Json read_json(const ClockReadSite& site) {
  return {{"call", site.call},
          {"clock", site.clock},
          {"wall_clock", site.wall},
          {"coarse", site.coarse},
          {"counted", site.counted},
          {"reads_per_second", site.per_second},
          {"standard_error", site.error},
          {"sampled", site.sampled},
          {"cpu_percent", site.cpu_percent},
          {"incomplete", text_or_null(site.incomplete)},
          {"stack", stack_json(site.stack)}};
}

Json wait_json(const ClockWaitSite& site) {
  return {{"kind", site.kind},
          {"call", site.call},
          {"clock", site.clock},
          {"wall_clock", site.wall},
          {"absolute", site.absolute},
          {"count", site.count},
          {"timed_out", site.timed_out},
          {"asked_ns", site.asked_ns},
          {"got_ns", site.got_ns},
          {"over_ns", site.over_ns},
          {"worst",
           {{"over_ns", site.max_over_ns},
            {"asked_ns", site.max_over_asked_ns},
            {"tid", site.max_over_tid},
            {"thread", text_or_null(site.max_over_thread)}}},
          {"overshoot", histogram_json(site.over)},
          {"spanned_step", site.spanned_step},
          {"under_way", site.under_way},
          {"under_way_over_ns", site.under_way_over_ns},
          {"incomplete", text_or_null(site.incomplete)},
          {"stack", stack_json(site.stack)}};
}

Json interval_json(const ClockInterval& interval) {
  return {{"count", interval.count},
          {"total_ns", interval.total_ns},
          {"max_ns", interval.max_ns},
          {"lengths", histogram_json(interval.lengths)},
          {"spanned_step", interval.spanned_step},
          {"spanned_by_ns", interval.spanned_by_ns},
          {"first", stack_json(interval.first)},
          {"second", stack_json(interval.second)}};
}

const char* name_of_step(ClockStepKind kind) {
  switch (kind) {
    case ClockStepKind::kStep:
      return "step";
    case ClockStepKind::kSlew:
      return "slew";
    case ClockStepKind::kSetting:
      return "setting";
    case ClockStepKind::kLeap:
      return "leap";
    case ClockStepKind::kSuspend:
      return "suspend";
    case ClockStepKind::kKinds:
      break;
  }
  return "?";
}

Json step_json(const ClockStep& step) {
  Json author = nullptr;
  if (step.pid)
    author = {{"pid", step.pid},
              {"uid", step.uid},
              {"command", printable(step.command)},
              {"container", text_or_null(step.container)},
              {"stack", stack_json(step.stack)}};
  return {{"kind", name_of_step(step.kind)}, {"time_ns", step.time_ns}, {"size_ns", step.size_ns},
          {"what", printable(step.what)},    {"result", step.result},   {"author", std::move(author)}};
}

const char* name_of_verdict(ClockVerdict::Kind kind) {
  switch (kind) {
    case ClockVerdict::Kind::kInterval:
      return "interval_on_wall_clock";
    case ClockVerdict::Kind::kDeadline:
      return "deadline_on_wall_clock";
    case ClockVerdict::Kind::kHot:
      return "hot_clock";
    case ClockVerdict::Kind::kCoarse:
      return "coarse_enough";
    case ClockVerdict::Kind::kHitByStep:
      return "hit_by_step";
    case ClockVerdict::Kind::kOverslept:
      return "overslept";
  }
  return "?";
}

Json verdict_json(const ClockVerdict& verdict) {
  return {{"kind", name_of_verdict(verdict.kind)},  {"certainty", name_of(verdict.certainty)},
          {"text", printable(verdict.text)},        {"evidence", printable(verdict.evidence)},
          {"advice", text_or_null(verdict.advice)}, {"stack", stack_json(verdict.stack)}};
}

template <typename T>
Json list(const std::vector<T>& items, Json (*one)(const T&)) {
  Json result = Json::array();
  for (const T& item : items) result.push_back(one(item));
  return result;
}

Json kernel_json(const KernelClockState& kernel) {
  if (!kernel.known) return nullptr;
  return {{"synchronised", kernel.synchronised},
          {"offset_ns", kernel.offset_ns},
          {"frequency_ppm", kernel.frequency_ppm},
          {"max_error_us", kernel.max_error_us},
          {"tai_offset_s", kernel.tai_offset_s},
          {"leap", text_or_null(kernel.leap)},
          {"clocksource", text_or_null(kernel.clocksource)}};
}

}  // namespace

std::string clocks_json(const ClocksReport& report) {
  Json losses = Json::object();
  for (const auto& [what, count] : report.losses) losses[what] = count;
  Json notes = Json::array();
  for (const std::string& note : report.notes) notes.push_back(printable(note));
  Json json = {{"program", printable(report.program)},
               {"pid", report.pid},
               {"seconds", report.seconds},
               {"reads_per_second", report.reads_per_second},
               {"reads_standard_error", report.reads_error},
               {"watched_share", report.watched_share},
               {"windows", report.windows},
               {"reads", list(report.reads, read_json)},
               {"waits", list(report.waits, wait_json)},
               {"intervals", list(report.intervals, interval_json)},
               {"steps", list(report.steps, step_json)},
               {"verdicts", list(report.verdicts, verdict_json)},
               {"kernel", kernel_json(report.kernel)},
               {"cost",
                {{"target_percent", report.cost_percent ? Json(*report.cost_percent) : Json(nullptr)},
                 {"probe_hits", report.probe_hits},
                 {"trap_ns", report.trap_ns},
                 {"bpf_ns", report.bpf_ns ? Json(*report.bpf_ns) : Json(nullptr)},
                 {"dwell_cpu_ns", report.own_cpu_ns}}},
               {"samples", {{"all", report.samples}, {"in_vdso", report.samples_in_vdso}}},
               {"losses", std::move(losses)},
               {"notes", std::move(notes)}};
  return json.dump(2) + "\n";
}

}  // namespace dwell
