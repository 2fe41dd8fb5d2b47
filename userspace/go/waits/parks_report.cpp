// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/parks_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>

#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"
#include "userspace/go/part.h"
#include "userspace/go/record/leading_frames.h"

namespace dwell {
namespace {

constexpr std::string_view kLockReasons[] = {"sync.Mutex.Lock",     "sync.RWMutex.Lock", "sync.RWMutex.RLock",
                                             "sync.WaitGroup.Wait", "sync.Cond.Wait",    "semacquire"};

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::ranges::any_of(starts, [&](std::string_view start) { return text.starts_with(start); });
}

bool is_machinery(const ReportFrame& frame) {
  return starts_with_any(frame.function, {"runtime.", "sync.", "internal/", "time.Sleep", "os.", "net."});
}

// Goroutines end in runtime.goexit. What the runtime keeps for itself begins with a function of its own.
bool is_of_runtime(const std::vector<ReportFrame>& stack) {
  for (auto frame = stack.rbegin(); frame != stack.rend(); ++frame) {
    if (frame->function == "runtime.goexit") continue;
    return frame->function.starts_with("runtime.") && frame->function != "runtime.main";
  }
  return false;
}

// The index of the first frame that is the program's own, 0 if none is.
std::size_t first_own(const std::vector<ReportFrame>& stack) {
  auto own = std::ranges::find_if_not(stack, is_machinery);
  return own == stack.end() ? 0 : static_cast<std::size_t>(own - stack.begin());
}

// Places of the recording whose locations read the same are one row.
using RowKey = std::tuple<std::string, ProcessSlot, std::vector<std::uint32_t>>;

class Rows {
 public:
  explicit Rows(const RecordingRef& recording)
      : recording_(*recording), texts_(std::make_shared<FrameTexts>(recording)) {}

  void add(const GoParkFacts& facts) {
    std::vector<std::uint32_t> readings;
    for (std::uint32_t location : stack_of(facts).locations) readings.push_back(texts_->reading(location));
    if (facts.contended) {
      contended_[{facts.process, readings}] += static_cast<double>(facts.count);
      return;
    }
    const std::string& reason = go_of(recording_).parks->reasons[facts.reason];
    auto [at, fresh] = rows_.try_emplace({reason, facts.process, readings});
    GoParkRow& row = at->second;
    if (fresh) describe(row, reason, facts);
    row.count += static_cast<double>(facts.count);
    row.ns += static_cast<double>(facts.ns);
    row.count_error = std::hypot(row.count_error, static_cast<double>(facts.count_error));
    row.ns_error = std::hypot(row.ns_error, static_cast<double>(facts.ns_error));
    row.counted += facts.counted;
    row.before += facts.before;
    row.still += facts.still;
    row.max_ns = std::max(row.max_ns, facts.max_ns);
    row.queued += facts.queued;
    row.queued_ns += facts.queued_ns;
  }

  std::vector<GoParkRow> take() {
    join_contended();
    std::vector<GoParkRow> rows;
    for (auto& [key, row] : rows_) rows.push_back(std::move(row));
    auto rank = [](const GoParkRow& row) { return std::tuple(row.of_runtime, -row.ns, -row.contended); };
    std::ranges::stable_sort(rows, std::less<>(), rank);
    return rows;
  }

 private:
  const CallStack& stack_of(const GoParkFacts& facts) const {
    return recording_.stacks[static_cast<std::size_t>(facts.stack)];
  }

  void describe(GoParkRow& row, const std::string& reason, const GoParkFacts& facts) {
    row.reason = reason;
    row.stack = {texts_, facts.stack};
    std::vector<ReportFrame> frames = row.stack.frames();
    if (!frames.empty()) row.incomplete = incomplete_because(stack_of(facts).end);
    row.is_lock = std::ranges::find(kLockReasons, reason) != std::end(kLockReasons);
    row.of_runtime = is_of_runtime(frames);
    row.own = first_own(frames);
  }

  // A slow way into a mutex is seen one frame above the function that parks for it.
  void join_contended() {
    for (auto& [key, row] : rows_) {
      const auto& [reason, process, readings] = key;
      for (std::size_t i = 0; i < readings.size(); ++i) {
        if (!texts_->frames_of_reading(readings[i])[0].function.ends_with("(*Mutex).lockSlow")) continue;
        auto found = contended_.find(
            {process, {readings.begin() + static_cast<std::ptrdiff_t>(i) + 1, readings.end()}});
        if (found == contended_.end()) break;
        row.contended = found->second;
        contended_.erase(found);
        break;
      }
    }
    for (const auto& [place, count] : contended_) {
      GoParkRow& row = rows_[{"sync.Mutex.Lock", place.first, place.second}];
      row.reason = "sync.Mutex.Lock";
      row.is_lock = true;
      row.contended = count;
      std::vector<ReportFrame> frames;
      for (std::uint32_t reading : place.second)
        for (ReportFrame& frame : texts_->frames_of_reading(reading)) frames.push_back(std::move(frame));
      row.own = first_own(frames);
      row.stack = std::move(frames);
    }
  }

  const Recording& recording_;
  std::shared_ptr<const FrameTexts> texts_;
  std::map<RowKey, GoParkRow> rows_;
  std::map<std::pair<ProcessSlot, std::vector<std::uint32_t>>, double> contended_;
};

}  // namespace

double GoParksReport::probe_share() const {
  return static_cast<double>(trap_ns + bpf_ns.value_or(0)) /
         static_cast<double>(std::max<std::uint64_t>(window_cpu_ns, 1));
}

GoParksReport go_parks_report(RecordingRef from) {
  const Recording& recording = *from;
  const GoParks& parks = *go_of(recording).parks;
  GoParksReport report;
  report.duration_ns = parks.duration_ns;
  report.watched_ns = parks.watched_ns;
  report.windows = parks.windows;
  report.probe_hits = parks.probe_hits;
  report.trap_ns = parks.trap_ns;
  report.bpf_ns = known_time(parks.bpf_ns);
  report.lost = parks.lost;
  report.window_cpu_ns = parks.window_cpu_ns;
  report.notes = parks.notes;
  Rows rows(from);
  for (const GoParkFacts& facts : parks.sites) rows.add(facts);
  report.rows = rows.take();
  return report;
}

Profile go_parks_profile(const Recording& recording) {
  const GoParks& parks = *go_of(recording).parks;
  FrameTexts texts(recording);
  ProfileBuilder builder(recording, texts);
  Profile& profile = builder.profile;
  profile.title = "waits of goroutines";
  profile.sample_types = {{"contentions", "count"}, {"delay", "nanoseconds"}};
  profile.default_sample_type = 1;
  profile.time_unix_ns = static_cast<std::int64_t>(recording.info.start_unix_ns);
  profile.duration_ns = static_cast<std::int64_t>(parks.duration_ns);
  for (const GoParkFacts& site : parks.sites) {
    if (site.contended) continue;  // those of them that had to wait have parked
    const CallStack& from = recording.stacks[static_cast<std::size_t>(site.stack)];
    if (is_of_runtime(texts.frames_of(from))) continue;
    std::vector<std::uint32_t> stack = builder.stack(site.stack);
    std::size_t leading = std::min(leading_of_wait(texts, from), stack.size());
    stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(leading));
    profile.samples.push_back(
        {std::move(stack),
         {static_cast<std::int64_t>(site.count + site.before), static_cast<std::int64_t>(site.ns)},
         {{"reason", parks.reasons[site.reason], 0, ""}}});
  }
  return std::move(builder.profile);
}

}  // namespace dwell
