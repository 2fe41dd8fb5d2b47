// SPDX-License-Identifier: Apache-2.0
#include "ui/folded.h"

#include <fmt/core.h>

#include <map>

#include "ui/escape.h"

namespace dwell {
namespace {

// The separator cannot stand in a name, and readers find the value after the last space of the line.
std::string folded_name(const std::string& function) {
  std::string name = printable(function);
  for (char& c : name) {
    if (c == ';') c = ':';
  }
  return name;
}

std::vector<std::string> location_texts(const Profile& profile) {
  std::vector<std::string> texts;
  texts.reserve(profile.locations.size());
  for (const ProfileLocation& location : profile.locations) {
    std::string text;
    for (auto line = location.lines.rbegin(); line != location.lines.rend(); ++line) {
      if (!text.empty()) text += ';';
      text += folded_name(line->function);
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string stack_text(const ProfileSample& sample, const std::vector<std::string>& locations) {
  std::string text;
  for (auto index = sample.stack.rbegin(); index != sample.stack.rend(); ++index) {
    if (!text.empty()) text += ';';
    text += locations[*index];
  }
  return text.empty() ? "[unknown]" : text;
}

}  // namespace

std::string folded(const Profile& profile, std::size_t sample_type) {
  std::vector<std::string> locations = location_texts(profile);
  std::map<std::string, std::int64_t> sums;
  for (const ProfileSample& sample : profile.samples) {
    sums[stack_text(sample, locations)] += sample.values[sample_type];
  }
  std::string result;
  for (const auto& [stack, value] : sums) {
    if (value != 0) result += fmt::format("{} {}\n", stack, value);
  }
  return result;
}

}  // namespace dwell
