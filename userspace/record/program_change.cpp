// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/program_change.h"

#include <algorithm>

#include "userspace/base/time_units.h"

namespace dwell {
namespace {

constexpr std::uint64_t kQuietNs = 50 * kMillisecond;      // a loader that has mapped nothing for so long is done
constexpr std::uint64_t kFirstPauseNs = 1000 * kMillisecond;  // between two gaps, if execs go on and on; doubles
constexpr std::uint64_t kLongestPauseNs = 300'000 * kMillisecond;

}  // namespace

bool ProgramChange::executed(Messenger by, std::uint64_t time_ns) {
  std::uint64_t& told = by == Messenger::kRing ? told_by_ring_ : told_by_watch_;
  if (++told <= (by == Messenger::kRing ? told_by_watch_ : told_by_ring_)) return false;
  if (pending()) close_one();
  if (!pending()) first_ns_ = time_ns;
  ++execs_;
  began_ns_ = code_ns_ = time_ns;
  probes_ns_ = 0;
  return true;
}

void ProgramChange::caught_up(std::uint64_t now_ns, bool code, bool probes) {
  if (!pending()) return;
  if (code) code_ns_ = now_ns;
  if (probes) probes_ns_ = now_ns;
}

void ProgramChange::nothing_missed() {
  execs_ = 0;
  sum_ = {};
}

void ProgramChange::close_one() {
  sum_.cut_ns += code_ns_ - std::min(code_ns_, began_ns_);
  sum_.missed_ns += probes_ns_ - std::min(probes_ns_, began_ns_);
}

std::optional<ProgramChange::Gap> ProgramChange::settled(std::uint64_t now_ns, bool at_the_end) {
  if (!pending()) return std::nullopt;
  std::uint64_t last_ns = std::max(code_ns_, probes_ns_);
  bool quiet = now_ns - std::min(now_ns, last_ns) >= kQuietNs;
  bool often = told_ns_ && now_ns - std::min(now_ns, told_ns_) < pause_ns_;
  bool overdue = now_ns - std::min(now_ns, first_ns_) >= std::max(pause_ns_, kFirstPauseNs);
  if (!at_the_end && (often || !(quiet || overdue))) return std::nullopt;
  close_one();
  sum_.execs = execs_;
  Gap gap = sum_;
  pause_ns_ = std::clamp(2 * pause_ns_, kFirstPauseNs, kLongestPauseNs);
  told_ns_ = now_ns;
  nothing_missed();
  return gap;
}

}  // namespace dwell
