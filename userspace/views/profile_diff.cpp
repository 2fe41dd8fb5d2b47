// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/profile_diff.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace dwell {

namespace {

// Paths of the modules that are not the same build in both.
absl::flat_hash_set<std::string> rebuilt_modules(const Profile& before, const Profile& after) {
  absl::flat_hash_map<std::string, std::string> builds;
  for (const ProfileMapping& mapping : before.mappings) builds.try_emplace(mapping.path, mapping.build_id);
  absl::flat_hash_set<std::string> rebuilt;
  for (const ProfileMapping& mapping : after.mappings) {
    auto it = builds.find(mapping.path);
    if (it != builds.end() && it->second != mapping.build_id) rebuilt.insert(mapping.path);
  }
  return rebuilt;
}

class Merger {
 public:
  Merger(Profile& result, const absl::flat_hash_set<std::string>& rebuilt) : result_(result), rebuilt_(rebuilt) {}

  void add(const Profile& profile, std::int64_t sign) {
    std::vector<std::uint32_t> locations;
    for (const ProfileLocation& location : profile.locations) locations.push_back(merged_location(profile, location));
    for (const ProfileSample& sample : profile.samples) add_sample(sample, locations, sign);
  }

 private:
  std::uint32_t merged_location(const Profile& profile, const ProfileLocation& location) {
    const ProfileMapping* mapping =
        location.mapping < 0 ? nullptr : &profile.mappings[static_cast<std::size_t>(location.mapping)];
    bool lines_hold = !mapping || !rebuilt_.contains(mapping->path);
    std::string key = mapping ? mapping->path : "";
    for (const ProfileLine& line : location.lines)
      key += fmt::format("\n{}\n{}\n{}", line.function, line.file, lines_hold ? line.line : 0);
    auto [it, added] = locations_.try_emplace(key, static_cast<std::uint32_t>(result_.locations.size()));
    if (added) {
      ProfileLocation merged = location;
      merged.mapping = mapping ? merged_mapping(*mapping) : -1;
      if (mapping) merged.address += result_.mappings[static_cast<std::size_t>(merged.mapping)].start - mapping->start;
      result_.locations.push_back(std::move(merged));
    }
    return it->second;
  }

  std::int32_t merged_mapping(const ProfileMapping& mapping) {
    auto [it, added] = mappings_.try_emplace(mapping.path, static_cast<std::int32_t>(result_.mappings.size()));
    if (added) {
      ProfileMapping merged = mapping;
      merged.start = next_start_;
      merged.limit = merged.start + (mapping.limit - mapping.start);
      next_start_ = merged.limit + 4096;
      result_.mappings.push_back(std::move(merged));
    }
    return it->second;
  }

  void add_sample(const ProfileSample& sample, const std::vector<std::uint32_t>& locations, std::int64_t sign) {
    ProfileSample merged;
    for (std::uint32_t location : sample.stack) merged.stack.push_back(locations[location]);
    // A process has another id in another recording; its memory is compared all the same.
    std::ranges::copy_if(sample.labels, std::back_inserter(merged.labels), [](const ProfileLabel& label) { return label.key != "pid"; });
    std::string key(reinterpret_cast<const char*>(merged.stack.data()), merged.stack.size() * sizeof(std::uint32_t));
    for (const ProfileLabel& label : merged.labels) key += fmt::format("\n{}={}{}", label.key, label.text, label.number);
    auto [it, added] = samples_.try_emplace(key, result_.samples.size());
    if (added) {
      merged.values.assign(sample.values.size(), 0);
      result_.samples.push_back(std::move(merged));
    }
    std::vector<std::int64_t>& values = result_.samples[it->second].values;
    // As unsigned numbers: a file may hold any value, and must not make us overflow.
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(values[i]) +
                                            static_cast<std::uint64_t>(sign) * static_cast<std::uint64_t>(sample.values[i]));
    }
  }

  Profile& result_;
  const absl::flat_hash_set<std::string>& rebuilt_;
  absl::flat_hash_map<std::string, std::uint32_t> locations_;
  absl::flat_hash_map<std::string, std::int32_t> mappings_;
  absl::flat_hash_map<std::string, std::size_t> samples_;
  std::uint64_t next_start_ = 0x10000;
};

}  // namespace

Profile profile_difference(const Profile& before, const Profile& after, std::uint64_t least) {
  Profile result;
  result.title = "growth of " + after.title;
  result.sample_types = after.sample_types;
  result.default_sample_type = after.default_sample_type;
  result.time_unix_ns = after.time_unix_ns;
  result.duration_ns = after.duration_ns;
  result.period_type = after.period_type;
  result.period = after.period;
  result.allocators_are_leaves = after.allocators_are_leaves;
  for (const std::string& comment : before.comments) result.comments.push_back("before: " + comment);
  for (const std::string& comment : after.comments) result.comments.push_back("after: " + comment);

  absl::flat_hash_set<std::string> rebuilt = rebuilt_modules(before, after);
  Merger merger(result, rebuilt);
  merger.add(after, 1);  // first, so that what both have reads as it does after
  merger.add(before, -1);
  std::erase_if(result.samples, [&](const ProfileSample& sample) {
    if (std::ranges::all_of(sample.values, [](std::int64_t value) { return value == 0; })) return true;
    return std::abs(static_cast<double>(sample.values.back())) < static_cast<double>(least);
  });
  return result;
}

}  // namespace dwell
