// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/growth_trigger.h"

#include <charconv>
#include <cmath>

namespace dwell::memory::windows {
namespace {

// The kernel counts pages a batch of 32 a CPU at a time (lib/percpu_counter.c): less is noise.
constexpr std::uint64_t kFewestPages = 64;
constexpr double kTimesUsual = 8;
constexpr double kUsualNs = 10e9;                   // over which the usual rate is averaged
constexpr std::uint64_t kPauseNs = 12'000'000;      // after a window: of a long burst, some

}  // namespace

bool GrowthTrigger::update(std::uint64_t now_ns, std::uint64_t pages) {
  if (seen_ns_ && now_ns < seen_ns_ + kLookEveryNs) return false;
  double passed = static_cast<double>(now_ns - seen_ns_);
  std::uint64_t grown = pages > pages_ ? pages - pages_ : 0;
  bool first = seen_ns_ == 0;
  seen_ns_ = now_ns, pages_ = pages;
  if (first) return false;
  double rate = static_cast<double>(grown) * 1e9 / passed;
  bool fast = grown >= kFewestPages && rate > kTimesUsual * rate_;
  rate_ += (rate - rate_) * -std::expm1(-passed / kUsualNs);
  if (!fast || now_ns < next_ns_) return false;
  next_ns_ = now_ns + kPauseNs;
  return true;
}

std::optional<std::uint64_t> resident_in(std::string_view statm) {
  std::size_t space = statm.find(' ');
  std::uint64_t pages = 0;
  if (space == std::string_view::npos) return std::nullopt;
  const char* end = statm.data() + statm.size();
  return std::from_chars(statm.data() + space + 1, end, pages).ec == std::errc() ? std::optional(pages) : std::nullopt;
}

}  // namespace dwell::memory::windows
