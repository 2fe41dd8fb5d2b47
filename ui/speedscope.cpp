// SPDX-License-Identifier: Apache-2.0
#include "ui/speedscope.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "ui/escape.h"

namespace dwell {
namespace {

class SpeedscopeWriter {
 public:
  explicit SpeedscopeWriter(const Profile& profile) : profile_(profile) {
    for (const ProfileLocation& location : profile.locations) number(location);
    for (const ProfileSample& sample : profile.samples) stacks_.push_back(stack_text(sample));
  }

  std::string write() {
    std::vector<std::string> profiles;
    for (std::size_t type = 0; type < profile_.sample_types.size(); ++type)
      profiles.push_back(one_profile(type));
    return fmt::format(
        "{{\"$schema\":\"https://www.speedscope.app/"
        "file-format-schema.json\",\"exporter\":\"dwell\",\"name\":{},"
        "\"activeProfileIndex\":{},\n\"shared\":{{\"frames\":[\n{}]}},\n\"profiles\":[\n{}]}}\n",
        json_quote(profile_.title), profile_.default_sample_type, fmt::join(frames_, ",\n"),
        fmt::join(profiles, ",\n"));
  }

 private:
  void number(const ProfileLocation& location) {
    std::vector<std::size_t> numbers;
    for (auto line = location.lines.rbegin(); line != location.lines.rend(); ++line)
      numbers.push_back(frame(*line));
    locations_.push_back(std::move(numbers));
  }

  std::size_t frame(const ProfileLine& line) {
    auto [at, is_new] = numbers_.try_emplace(std::tuple(line.function, line.file, line.line), frames_.size());
    if (!is_new) return at->second;
    std::string text = "{\"name\":" + json_quote(line.function);
    if (!line.file.empty()) text += ",\"file\":" + json_quote(line.file);
    if (line.line) text += fmt::format(",\"line\":{}", line.line);
    frames_.push_back(text + "}");
    return at->second;
  }

  std::string stack_text(const ProfileSample& sample) {
    std::vector<std::size_t> numbers;
    for (auto index = sample.stack.rbegin(); index != sample.stack.rend(); ++index) {
      numbers.insert(numbers.end(), locations_[*index].begin(), locations_[*index].end());
    }
    if (numbers.empty()) numbers.push_back(frame({"[unknown]", "", "", 0}));
    return fmt::format("[{}]", fmt::join(numbers, ","));
  }

  std::string one_profile(std::size_t type) const {
    std::vector<std::string_view> samples;
    std::vector<std::int64_t> weights;
    std::int64_t total = 0;
    bool shrank = false;
    for (std::size_t i = 0; i < profile_.samples.size(); ++i) {
      std::int64_t value = profile_.samples[i].values[type];
      shrank |= value < 0;
      if (value <= 0) continue;
      samples.push_back(stacks_[i]);
      weights.push_back(value);
      total += value;
    }
    const ProfileValueType& what = profile_.sample_types[type];
    bool known = what.unit == "bytes" || what.unit == "nanoseconds";
    return fmt::format(
        "{{\"type\":\"sampled\",\"name\":{},\"unit\":\"{}\",\"startValue\":0,\"endValue\":{},\n\"samples\":[{"
        "}],\n\"weights\":[{}]}}",
        json_quote(what.type + (shrank ? ", what grew" : "")), known ? what.unit : "none", total,
        fmt::join(samples, ","), fmt::join(weights, ","));
  }

  const Profile& profile_;
  absl::flat_hash_map<std::tuple<std::string, std::string, std::uint32_t>, std::size_t> numbers_;
  std::vector<std::string> frames_;
  std::vector<std::vector<std::size_t>> locations_;  // frames of a location, outermost first
  std::vector<std::string> stacks_;                  // by sample
};

}  // namespace

std::string speedscope(const Profile& profile) { return SpeedscopeWriter(profile).write(); }

}  // namespace dwell
