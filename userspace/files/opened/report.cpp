// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "userspace/views/frames.h"
#include "userspace/views/growth.h"
#include "userspace/views/profile_builder.h"

namespace dwell::files {
namespace {

struct RowKey {
  ProcessSlot process;
  FileKind kind;
  Opening opening;
  std::vector<std::uint32_t> stack;
  auto operator<=>(const RowKey&) const = default;
};

struct RowFacts {
  StackId example = StackId::kUnknown;  // one of the stacks that read so
  DescriptorRow row;
  std::vector<std::pair<std::uint64_t, std::int64_t>> changes;  // of those open, by time
  std::vector<std::uint64_t> opened_ns;
};

class DescriptorReportMaker {
 public:
  explicit DescriptorReportMaker(const RecordingRef& from) : recording_(*from), texts_(std::make_shared<const FrameTexts>(from)) {}

  DescriptorReport make() {
    for (const DescriptorTick& tick : part().ticks) {
      times_.push_back(tick.end_ns);
      for (const DescriptorChange& change : tick.changes) add(tick, change);
    }
    for (const OpenDescriptor& one : part().open.descriptors) add(one);
    DescriptorReport report;
    report.checks = part().open.checks;
    for (auto& [key, facts] : rows_) {
      finish(key, facts);
      add_up(report, facts.row);
      report.rows.push_back(std::move(facts.row));
    }
    auto rank = [](const DescriptorRow& row) { return std::tuple(has_call_site(row.opening), row.open(), row.opened); };
    std::ranges::stable_sort(report.rows, std::greater<>(), rank);
    return report;
  }

 private:
  const FilesPart& part() const { return files_of(recording_); }

  RowFacts& facts_of(const DescriptorSite& site) {
    const CallStack& stack = recording_.stacks[static_cast<std::size_t>(site.stack)];
    RowFacts& facts = rows_[{site.process, site.kind, site.opening, texts_->readings_of(stack)}];
    facts.example = site.stack;
    return facts;
  }

  void add(const DescriptorTick& tick, const DescriptorChange& change) {
    RowFacts& facts = facts_of(change.site);
    facts.row.opened += change.opened;
    facts.row.closed += change.closed;
    for (const auto& [bits, count] : change.lifetimes) facts.row.lifetimes[bits] += count;
    facts.changes.emplace_back(tick.end_ns, static_cast<std::int64_t>(change.opened) - static_cast<std::int64_t>(change.closed));
  }

  void add(const OpenDescriptor& one) {
    RowFacts& facts = facts_of(one.site);
    facts.row.descriptors.push_back(one.fd);
    facts.row.left_by_peer += one.left_by_peer;
    if (one.opened_ns) facts.opened_ns.push_back(one.opened_ns);
  }

  void finish(const RowKey& key, RowFacts& facts) const {
    DescriptorRow& row = facts.row;
    row.process = key.process;
    row.kind = key.kind;
    row.opening = key.opening;
    row.stack = {texts_, facts.example};
    const CallStack& stack = recording_.stacks[static_cast<std::size_t>(facts.example)];
    if (!stack.locations.empty()) row.incomplete = incomplete_because(stack.end);
    row.growth_per_minute = slope_per_minute(times_, facts.changes);
    std::uint64_t end_ns = part().open.time_ns;
    if (!facts.opened_ns.empty()) row.oldest_age_ns = end_ns - std::min(end_ns, *std::ranges::min_element(facts.opened_ns));
    // Connections that clients keep open are no leak: they are theirs to close.
    bool of_clients = key.opening == Opening::kAccepted && row.left_by_peer * 2 < row.descriptors.size();
    if (has_call_site(key.opening) && !of_clients) row.leak = find_leak({end_ns, facts.opened_ns, row.lifetimes});
  }

  static void add_up(DescriptorReport& report, const DescriptorRow& row) {
    if (row.opening == Opening::kBefore || row.opening == Opening::kInherited) {
      report.before += row.opened;
      report.before_open += row.open();
    } else {
      report.opened += row.opened;
      report.closed += row.closed;
      report.open += row.open();
    }
  }

  const Recording& recording_;
  std::shared_ptr<const FrameTexts> texts_;
  std::map<RowKey, RowFacts> rows_;
  std::vector<std::uint64_t> times_;  // of the ends of ticks
};

}  // namespace

bool follows_descriptors(const Recording& recording) { return !files_of(recording).ticks.empty(); }

DescriptorReport descriptor_report(RecordingRef recording) { return DescriptorReportMaker(recording).make(); }

bool has_call_site(Opening opening) { return opening != Opening::kBefore && opening != Opening::kInherited && opening != Opening::kUnseen; }

Result<Profile> descriptor_profile(const Recording& recording, const ViewFilter&) {
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  builder.entitle("descriptors by where they were opened");
  profile.sample_types = {{"open", "count"}, {"opened", "count"}, {"closed", "count"}};
  std::map<DescriptorSite, DescriptorChange> sums;
  for (const DescriptorTick& tick : files_of(recording).ticks) {
    for (const DescriptorChange& change : tick.changes) {
      sums[change.site].opened += change.opened;
      sums[change.site].closed += change.closed;
    }
  }
  for (const auto& [site, sum] : sums) {
    std::string kind(name_of(site.kind)), opening(name_of(site.opening));
    auto open = static_cast<std::int64_t>(sum.opened - std::min(sum.opened, sum.closed));
    ProfileSample sample{builder.stack(site.stack),
                         {open, static_cast<std::int64_t>(sum.opened), static_cast<std::int64_t>(sum.closed)},
                         {{"kind", kind, 0, ""}, {"opening", opening, 0, ""}}};
    sample.stack.push_back(builder.artificial(fmt::format("[{}, {}]", kind, opening)));
    if (recording.processes.size() > 1) sample.labels.push_back({"pid", "", recording.processes[site.process].pid, ""});
    profile.samples.push_back(std::move(sample));
  }
  return std::move(builder.profile);
}

}  // namespace dwell::files
