// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "userspace/memory/part.h"
#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"

namespace dwell::memory {
namespace {

class TouchedReportMaker {
 public:
  TouchedReportMaker(const RecordingRef& recording, std::shared_ptr<const FrameTexts> texts) : recording_(*recording), texts_(std::move(texts)) {}

  TouchedReport make(ProcessSlot process, const TouchedMemory& touched) {
    TouchedReport report;
    report.process = process;
    report.looked = touched.time_ns != 0;
    report.time_ns = touched.time_ns - std::min(touched.time_ns, recording_.start_ns());
    report.weight = touched.weight;
    for (std::uint64_t bytes : touched.unseen) report.unseen += bytes;
    std::map<std::pair<TouchedKind, std::vector<std::uint32_t>>, TouchedRow> rows;
    for (const TouchedSite& site : touched.sites) {
      const CallStack& stack = recording_.stacks[static_cast<std::size_t>(site.stack)];
      auto [at, fresh] = rows.try_emplace({site.kind, texts_->readings_of(stack)});
      if (fresh) describe(site, stack, at->second);
      add(site, at->second);
      report.faults += site.faults;
      report.resident += site.resident;
      report.grown += site.grown;
    }
    for (auto& [key, row] : rows) report.rows.push_back(std::move(row));
    auto rank = [](const TouchedRow& row) { return std::tuple(row.grown, row.resident, row.faults); };
    std::ranges::stable_sort(report.rows, std::greater<>(), rank);
    return report;
  }

 private:
  void describe(const TouchedSite& site, const CallStack& stack, TouchedRow& row) const {
    row.kind = site.kind;
    row.stack = {texts_, site.stack};
    if (!stack.locations.empty()) row.incomplete = incomplete_because(stack.end);
  }

  static void add(const TouchedSite& site, TouchedRow& row) {
    row.faults += site.faults;
    row.resident += site.resident;
    row.grown += site.grown;
    row.error = static_cast<std::uint64_t>(std::hypot(static_cast<double>(row.error), static_cast<double>(site.error)));
  }

  const Recording& recording_;
  std::shared_ptr<const FrameTexts> texts_;
};

bool is_known(const TouchedMemory& touched) { return touched.time_ns || !touched.sites.empty(); }

}  // namespace

bool follows_touched(const Recording& recording) { return std::ranges::any_of(memory_of(recording).touched, is_known); }

std::vector<TouchedReport> touched_reports(RecordingRef recording) {
  std::vector<TouchedReport> reports;
  const std::vector<TouchedMemory>& all = memory_of(*recording).touched;
  TouchedReportMaker maker(recording, std::make_shared<FrameTexts>(recording));
  for (std::size_t slot = 0; slot < all.size(); ++slot)
    if (is_known(all[slot])) reports.push_back(maker.make(static_cast<ProcessSlot>(slot), all[slot]));
  return reports;
}

Result<Profile> touched_profile(const Recording& recording, const ViewFilter&) {
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  builder.entitle("memory by where it was touched first");
  profile.sample_types = {{"faults", "count"}, {"inuse_space", "bytes"}};
  profile.default_sample_type = 1;
  const std::vector<TouchedMemory>& all = memory_of(recording).touched;
  for (std::size_t slot = 0; slot < all.size(); ++slot) {
    for (const TouchedSite& site : all[slot].sites) {
      std::string kind(name_of(site.kind));
      ProfileSample sample{builder.stack(site.stack),
                           {static_cast<std::int64_t>(site.faults), static_cast<std::int64_t>(site.resident)},
                           {{"kind", kind, 0, ""}}};
      sample.stack.push_back(builder.artificial("[" + kind + "]"));
      if (recording.processes.size() > 1) sample.labels.push_back({"pid", "", recording.processes[slot].pid, ""});
      profile.samples.push_back(std::move(sample));
    }
  }
  return std::move(builder.profile);
}

}  // namespace dwell::memory
