// SPDX-License-Identifier: Apache-2.0
#include "ui/folded.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

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

// The text of a stack, piece by piece from the root: a million of them are not kept.
class StackReader {
 public:
  StackReader(const ProfileSample& sample, const std::vector<std::string>& locations, std::size_t skipped)
      : sample_(sample), locations_(locations), left_(sample.stack.size() - skipped), started_(skipped > 0) {
    if (sample.stack.empty()) piece_ = "[unknown]";
    read();
  }
  std::string_view piece() const { return piece_; }  // "" at the end
  void skip(std::size_t count) {
    piece_.remove_prefix(count);
    read();
  }

 private:
  void read() {
    while (piece_.empty() && left_ > 0) {
      const std::string& text = locations_[sample_.stack[left_ - 1]];
      if (started_ && !separated_) {
        piece_ = ";";
        separated_ = true;
        return;
      }
      --left_;
      separated_ = false;
      piece_ = text;
      started_ = started_ || !text.empty();
    }
  }

  const ProfileSample& sample_;
  const std::vector<std::string>& locations_;
  std::size_t left_;
  bool started_, separated_ = false;
  std::string_view piece_;
};

// As std::string::compare() of the whole texts.
int compare(const ProfileSample& a, const ProfileSample& b, const std::vector<std::string>& locations) {
  auto differ = std::ranges::mismatch(a.stack.rbegin(), a.stack.rend(), b.stack.rbegin(), b.stack.rend());
  auto same = static_cast<std::size_t>(differ.in1 - a.stack.rbegin());
  while (same > 0 && locations[a.stack[a.stack.size() - same]].empty()) --same;
  StackReader x(a, locations, same), y(b, locations, same);
  while (!x.piece().empty() && !y.piece().empty()) {
    std::size_t size = std::min(x.piece().size(), y.piece().size());
    if (int order = x.piece().substr(0, size).compare(y.piece().substr(0, size))) return order;
    x.skip(size);
    y.skip(size);
  }
  return static_cast<int>(!x.piece().empty()) - static_cast<int>(!y.piece().empty());
}

void append_text(std::string& out, const ProfileSample& sample, const std::vector<std::string>& locations) {
  for (StackReader reader(sample, locations, 0); !reader.piece().empty(); reader.skip(reader.piece().size()))
    out += reader.piece();
}

}  // namespace

std::string folded(const Profile& profile, std::size_t sample_type) {
  std::vector<std::string> locations = location_texts(profile);
  std::vector<std::uint32_t> order(profile.samples.size());
  std::iota(order.begin(), order.end(), 0);
  auto before = [&](std::uint32_t a, std::uint32_t b) {
    return compare(profile.samples[a], profile.samples[b], locations) < 0;
  };
  std::ranges::sort(order, before);
  std::string result;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t first = i;
    std::int64_t value = 0;
    for (; i < order.size() && (i == first || !before(order[first], order[i])); ++i)
      value += profile.samples[order[i]].values[sample_type];
    if (value == 0) continue;
    append_text(result, profile.samples[order[first]], locations);
    result += fmt::format(" {}\n", value);
  }
  return result;
}

}  // namespace dwell
