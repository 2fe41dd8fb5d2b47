// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/site_words.h"

#include <algorithm>
#include <cmath>

namespace dwell::memory::windows {
namespace {

constexpr std::size_t kValuesKept = 256;
constexpr std::size_t kFewestBlocks = 5;
constexpr double kSameShare = 0.1;       // pairs of blocks with the same value, where a word is unique
constexpr double kSettledNs = 8e6;
constexpr std::uint32_t kKnownChanges = 2, kOtherChanges = 3;
constexpr double kOtherShare = 0.003;
constexpr std::uint32_t kFewestAgain = 3;
constexpr double kAgainShare = 0.03;

// The latest.
void keep(std::vector<std::uint64_t>& values, std::uint64_t value, std::uint32_t count) {
  if (values.size() < kValuesKept)
    values.push_back(value);
  else
    values[count % kValuesKept] = value;
}

}  // namespace

void SiteWords::saw_in_own_window(const Words& middle, const Words& close) {
  ++own_;
  for (std::size_t i = 0; i < kWords; ++i) words_[i].in_own += middle[i] != close[i];
}

void SiteWords::closed(const Words& words) {
  ++closed_;
  for (std::size_t i = 0; i < kWords; ++i) keep(words_[i].closing, words[i], closed_);
}

void SiteWords::settled(const Words& close, const Words& now) {
  ++settled_;
  for (std::size_t i = 0; i < kWords; ++i) {
    words_[i].by_settling += close[i] != now[i];
    keep(words_[i].values, now[i], settled_);
  }
}

// What changed although the other words are as they were is a change of the block, not another block.
void SiteWords::saw_in_later_window(const Words& last, const Words& open, const Words& close) {
  ++later_;
  for (std::size_t i = 0; i < kWords; ++i) {
    if (open[i] == close[i]) continue;
    bool others_same = true;
    for (std::size_t other = 0; other < 2; ++other) others_same &= other == i || open[other] == last[other];
    if (open[i] == last[i] && others_same)
      ++words_[i].known;
    else if (open[i] != last[i])
      ++words_[i].other;
  }
}

void SiteWords::saw_reuse(const Words& dead, const Words& now) {
  ++reused_;
  for (std::size_t i = 0; i < kWords; ++i) words_[i].again += dead[i] == now[i];
}

bool SiteWords::is_mutable(std::size_t word) const {
  const Word& seen = words_[word];
  return seen.known >= kKnownChanges || (seen.other >= kOtherChanges && seen.other >= kOtherShare * later_);
}

bool SiteWords::is_unique(std::size_t word) const {
  const Word& seen = words_[word];
  if (seen.values.size() < kFewestBlocks || is_mutable(word)) return false;
  if (seen.again >= kFewestAgain && seen.again > kAgainShare * reused_) return false;
  std::vector<std::uint64_t> values = seen.values;
  std::sort(values.begin(), values.end());
  double same = 0, n = static_cast<double>(values.size());
  for (auto first = values.begin(); first != values.end();) {
    auto last = std::upper_bound(first, values.end(), *first);
    double equal = static_cast<double>(last - first);
    same += equal * (equal - 1);
    first = last;
  }
  return same / (n * (n - 1)) < kSameShare;
}

std::optional<std::uint64_t> SiteWords::constant(std::size_t word) const {
  std::vector<std::uint64_t> values = words_[word].closing;
  if (values.size() < kFewestBlocks || is_mutable(word)) return std::nullopt;
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  auto same = static_cast<double>(std::count(values.begin(), values.end(), *middle));
  return same > (1 - kSameShare) * static_cast<double>(values.size()) ? std::optional(*middle) : std::nullopt;
}

bool SiteWords::is_late(std::size_t word) const { return words_[word].in_own >= 2 && words_[word].in_own > 0.01 * own_; }

bool SiteWords::may_be_late(std::size_t word, double late_death) const {
  double by_death = 3 * -std::expm1(-late_death * kSettledNs);
  return settled_ > 0 && words_[word].by_settling > (by_death + 0.1) * settled_;
}

}  // namespace dwell::memory::windows
