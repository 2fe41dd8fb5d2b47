// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/profile.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace dwell {
namespace {

enum SampleType : std::size_t { kReads, kInterval, kWaited, kSampleTypes };

std::int64_t whole(double value) { return static_cast<std::int64_t>(std::llround(value)); }

class ClocksProfile {
 public:
  Profile profile;

  void add(const std::vector<ReportFrame>& stack, SampleType type, std::int64_t value,
           const std::string& clock, const std::string& kind) {
    if (value <= 0) return;
    ProfileSample sample;
    sample.stack = locations_of(stack);
    sample.values.assign(kSampleTypes, 0);
    sample.values[type] = value;
    sample.labels = {{"clock", clock, 0, ""}, {"kind", kind, 0, ""}};
    profile.samples.push_back(std::move(sample));
  }

  // Addresses are offsets in files: each file gets a range of its own, as large as what was seen of it.
  void place_mappings() {
    constexpr std::uint64_t kPage = 4096;
    std::uint64_t next = 0x10000;
    for (ProfileMapping& mapping : profile.mappings) {
      mapping.start = next;
      mapping.limit = next += (mapping.limit + kPage) / kPage * kPage;
    }
    for (ProfileLocation& location : profile.locations)
      if (location.mapping >= 0)
        location.address += profile.mappings[static_cast<std::size_t>(location.mapping)].start;
  }

 private:
  // What was inlined stands before the function that it was inlined into, and both are one location.
  std::vector<std::uint32_t> locations_of(const std::vector<ReportFrame>& stack) {
    std::vector<std::uint32_t> locations;
    ProfileLocation location;
    for (const ReportFrame& frame : stack) {
      location.lines.push_back({frame.function, "", frame.file, frame.line});
      if (frame.inlined) continue;
      location.address = frame.offset;
      location.mapping = mapping_of(frame);
      locations.push_back(index_of(std::move(location)));
      location = {};
    }
    if (locations.empty()) {
      location.lines.push_back({"[unknown]", "", "", 0});
      locations.push_back(index_of(std::move(location)));
    }
    return locations;
  }

  std::uint32_t index_of(ProfileLocation location) {
    std::string key = fmt::format("{} {}", location.mapping, location.address);
    for (const ProfileLine& line : location.lines) key += "\n" + line.function;
    auto [known, fresh] = locations_.try_emplace(key, static_cast<std::uint32_t>(profile.locations.size()));
    if (fresh) profile.locations.push_back(std::move(location));
    return known->second;
  }

  // Its limit grows with what is seen of the file.
  std::int32_t mapping_of(const ReportFrame& frame) {
    if (frame.module.empty()) return -1;
    auto [known, fresh] =
        mappings_.try_emplace(frame.module, static_cast<std::int32_t>(profile.mappings.size()));
    if (fresh) {
      ProfileMapping& mapping = profile.mappings.emplace_back();
      mapping.path = frame.module;
    }
    ProfileMapping& mapping = profile.mappings[static_cast<std::size_t>(known->second)];
    mapping.limit = std::max(mapping.limit, frame.offset + 1);
    mapping.has_functions |= frame.named;
    mapping.has_filenames |= !frame.file.empty();
    mapping.has_line_numbers |= frame.line != 0;
    return known->second;
  }

  std::map<std::string, std::uint32_t> locations_;
  std::map<std::string, std::int32_t> mappings_;
};

}  // namespace

Profile clocks_profile(const ClocksReport& report) {
  ClocksProfile builder;
  Profile& profile = builder.profile;
  profile.title = fmt::format("clocks of {} ({})", report.program, report.pid);
  profile.sample_types = {{"reads", "count"}, {"interval", "nanoseconds"}, {"waited", "nanoseconds"}};
  profile.duration_ns = whole(report.seconds * 1e9);
  for (const ClockReadSite& site : report.reads)
    builder.add(site.stack, kReads, whole(site.per_second * report.seconds), site.clock, "read");
  for (const ClockInterval& interval : report.intervals)
    builder.add(interval.second, kInterval, static_cast<std::int64_t>(interval.total_ns), "CLOCK_REALTIME",
                "interval");
  for (const ClockWaitSite& site : report.waits)
    builder.add(site.stack, kWaited, static_cast<std::int64_t>(site.got_ns), site.clock, site.kind);
  builder.place_mappings();
  for (const std::string& note : report.notes) profile.comments.push_back(note);
  for (const ClockStep& step : report.steps)
    profile.comments.push_back(fmt::format(
        "{:.3f} s: {} by {} ns, {}", static_cast<double>(step.time_ns) / 1e9, step.what, step.size_ns,
        step.pid ? fmt::format("{} ({})", step.command, step.pid) : "from outside"));
  return std::move(profile);
}

}  // namespace dwell
