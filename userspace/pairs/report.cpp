// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/report.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "userspace/views/frames.h"
#include "userspace/views/growth.h"
#include "userspace/views/profile_builder.h"

namespace dwell::pairs {
namespace {

constexpr std::size_t kMostValues = 20;

void add_figures(HoldFigures& to, const HoldFigures& from) {
  to.taken += from.taken;
  to.given += from.given;
  to.taken_size += from.taken_size;
  to.given_size += from.given_size;
  to.lived_ns += from.lived_ns;
}

HoldFigures figures_of(const HoldChange& change) {
  return {change.taken, change.given, change.taken_size, change.given_size, change.lived_ns};
}

struct HoldRowKey {
  ProcessSlot process;
  std::uint16_t pair;
  std::vector<std::uint32_t> stack;
  auto operator<=>(const HoldRowKey&) const = default;
};

struct HoldRowFacts {
  StackId example = StackId::kUnknown;  // one of the stacks that read so
  HoldRow row;
  std::vector<std::pair<std::uint64_t, std::int64_t>> changes;     // of those held, by time
  std::vector<std::pair<std::uint64_t, std::uint64_t>> held;       // (when, value)
};

class PairReportMaker {
 public:
  explicit PairReportMaker(const RecordingRef& from) : recording_(*from), texts_(std::make_shared<const FrameTexts>(from)) {}

  PairReport make() {
    const PairsPart& part = pairs_of(recording_);
    report_.pairs = part.pairs;
    report_.totals.resize(part.pairs.size());
    for (const HoldTick& tick : part.ticks) {
      times_.push_back(tick.end_ns);
      for (const HoldChange& change : tick.changes) add(tick, change);
      for (const PairChange& pair : tick.pairs) add(pair);
    }
    for (const Hold& hold : part.held.holds) facts_of(hold.site).held.emplace_back(hold.taken_ns, hold.value);
    for (auto& [key, facts] : rows_) {
      finish(key, facts);
      report_.rows.push_back(std::move(facts.row));
    }
    auto rank = [](const HoldRow& row) { return std::tuple(row.leak.has_value(), row.held(), row.taken); };
    std::ranges::stable_sort(report_.rows, std::greater<>(), rank);
    return std::move(report_);
  }

 private:
  HoldRowFacts& facts_of(const HoldSite& site) {
    const CallStack& stack = recording_.stacks[static_cast<std::size_t>(site.stack)];
    HoldRowFacts& facts = rows_[{site.process, site.pair, texts_->readings_of(stack)}];
    facts.example = site.stack;
    return facts;
  }

  void add(const HoldTick& tick, const HoldChange& change) {
    HoldRowFacts& facts = facts_of(change.site);
    add_figures(facts.row, figures_of(change));
    add_figures(report_.totals[change.site.pair], figures_of(change));
    facts.row.peak = std::max(facts.row.peak, change.peak);
    for (const auto& [bits, count] : change.lifetimes) facts.row.lifetimes[bits] += count;
    facts.changes.emplace_back(tick.end_ns, static_cast<std::int64_t>(change.taken - change.given));
  }

  void add(const PairChange& change) {
    PairTotals& totals = report_.totals[change.pair];
    totals.unknown += change.unknown;
    if (change.peak <= totals.peak) return;
    totals.peak = change.peak;
    totals.peak_after_ns = change.peak_ns - std::min(change.peak_ns, recording_.start_ns());
  }

  void finish(const HoldRowKey& key, HoldRowFacts& facts) const {
    HoldRow& row = facts.row;
    row.process = key.process;
    row.pair = key.pair;
    row.stack = {texts_, facts.example};
    const CallStack& stack = recording_.stacks[static_cast<std::size_t>(facts.example)];
    if (!stack.locations.empty()) {
      std::vector<ReportFrame> taker = texts_->frames(stack.locations.front());
      row.function = taker.back().function;
      row.caller = {texts_, facts.example, taker.size()};
      row.incomplete = incomplete_because(stack.end);
    }
    row.growth_per_minute = slope_per_minute(times_, facts.changes);
    std::uint64_t end_ns = pairs_of(recording_).held.time_ns;
    std::ranges::sort(facts.held);
    std::vector<std::uint64_t> taken_ns;
    for (const auto& [time_ns, value] : facts.held) {
      taken_ns.push_back(time_ns);
      if (row.values.size() < kMostValues && std::ranges::find(row.values, value) == row.values.end()) row.values.push_back(value);
    }
    if (!taken_ns.empty()) row.oldest_age_ns = end_ns - std::min(end_ns, taken_ns.front());
    row.leak = find_leak({end_ns, taken_ns, row.lifetimes});
  }

  const Recording& recording_;
  std::shared_ptr<const FrameTexts> texts_;
  PairReport report_;
  std::map<HoldRowKey, HoldRowFacts> rows_;
  std::vector<std::uint64_t> times_;  // of the ends of ticks
};

}  // namespace

bool follows_pairs(const Recording& recording) { return !pairs_of(recording).pairs.empty(); }

PairReport pair_report(RecordingRef recording) { return PairReportMaker(recording).make(); }

Result<Profile> pair_profile(const Recording& recording, const ViewFilter&) {
  const PairsPart& part = pairs_of(recording);
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  builder.entitle("what is held, by where it was taken");
  bool sized = std::ranges::any_of(part.pairs, &PairInfo::sized);
  builder.profile.sample_types = {
      {"held", "count"}, {"taken", "count"}, {"given", "count"}, {"lived", "nanoseconds"}};
  if (sized) builder.profile.sample_types.insert(builder.profile.sample_types.end(), {{"held_size", "count"}, {"taken_size", "count"}});
  std::map<HoldSite, HoldFigures> sums;
  for (const HoldTick& tick : part.ticks)
    for (const HoldChange& change : tick.changes) add_figures(sums[change.site], figures_of(change));
  for (const auto& [site, sum] : sums) {
    const std::string& pair = part.pairs[site.pair].name;
    ProfileSample sample{builder.stack(site.stack), {}, {{"pair", pair, 0, ""}}};
    for (std::uint64_t value : {sum.held(), sum.taken, sum.given, sum.lived_ns})
      sample.values.push_back(static_cast<std::int64_t>(value));
    if (sized)
      for (std::uint64_t value : {sum.held_size(), sum.taken_size}) sample.values.push_back(static_cast<std::int64_t>(value));
    if (part.pairs.size() > 1) sample.stack.push_back(builder.artificial("[" + pair + "]"));
    if (recording.processes.size() > 1) sample.labels.push_back({"pid", "", recording.processes[site.process].pid, ""});
    builder.profile.samples.push_back(std::move(sample));
  }
  return std::move(builder.profile);
}

}  // namespace dwell::pairs
