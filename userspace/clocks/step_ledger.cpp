// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/step_ledger.h"

#include <fmt/core.h>
#include <sys/timex.h>

#include <cstdlib>

#include "userspace/clocks/names.h"

namespace dwell {
namespace {

constexpr std::int64_t kExplained = 100'000;  // what is left of a step that calls account for
constexpr std::uint64_t kSlewLasts = 10'000'000'000;

bool sets_time(const dwell_clock_set_record& record) {
  return record.call == DWELL_CALL_SETTIMEOFDAY || record.call == DWELL_CALL_CLOCK_SETTIME ||
         (record.modes & ADJ_SETOFFSET);
}

bool is_realtime(const dwell_clock_set_record& record) {
  bool has_clock = record.call == DWELL_CALL_CLOCK_SETTIME || record.call == DWELL_CALL_CLOCK_ADJTIME;
  return !has_clock || record.clock == 0;
}

}  // namespace

void StepLedger::called(const dwell_clock_set_record& record) {
  LedgerEntry entry;
  entry.kind = sets_time(record) ? ClockMove::Kind::kStep : ClockMove::Kind::kSlew;
  entry.time_ns = record.time_ns;
  entry.author = record;
  if (record.result >= 0 && entry.kind == ClockMove::Kind::kStep) entry.size_ns = record.step_ns;
  if (record.result >= 0 && is_realtime(record)) unconfirmed_.push_back(entries_.size());
  entries_.push_back(std::move(entry));
}

std::vector<std::int64_t> StepLedger::sampled(const ClockSample& sample, bool leap_due) {
  // A call that ended after the clocks were read belongs to the next sample.
  std::vector<std::size_t> later;
  std::int64_t by_calls = 0;
  bool has_slewed = false;
  std::optional<std::size_t> silent;  // a call that set the clock by we don't know how much
  for (std::size_t index : unconfirmed_) {
    const LedgerEntry& entry = entries_[index];
    if (entry.time_ns > sample.monotonic_ns) {
      later.push_back(index);
      continue;
    }
    by_calls += entry.size_ns;
    has_slewed |= entry.kind == ClockMove::Kind::kSlew;
    if (entry.kind == ClockMove::Kind::kStep && entry.size_ns == 0) silent = index;
  }
  if (has_slewed) slewed_ns_ = sample.monotonic_ns;
  std::vector<std::int64_t> unexplained;
  for (const ClockMove& move : detector_.take(sample, leap_due)) {
    LedgerEntry entry{move.kind, move.before_ns, move.size_ns, move.rate_ppm, {}};
    if (move.kind == ClockMove::Kind::kStep) {
      entry.size_ns -= by_calls;
      if (std::abs(entry.size_ns) <= kExplained) continue;
      if (silent) {
        entries_[*silent].size_ns = entry.size_ns;
        continue;
      }
    }
    // A rate is measured over a while, and a call that steers the clock works on for longer.
    bool told = slewed_ns_ && move.before_ns - slewed_ns_ < kSlewLasts;
    if (move.kind == ClockMove::Kind::kSlew && told) continue;
    if (move.kind == ClockMove::Kind::kStep || move.kind == ClockMove::Kind::kLeap)
      unexplained.push_back(entry.size_ns);
    entries_.push_back(std::move(entry));
  }
  unconfirmed_ = std::move(later);
  return unexplained;
}

std::string describe_set(const dwell_clock_set_record& record) {
  std::string call = clock_call_name(static_cast<std::uint8_t>(record.call));
  if (record.call == DWELL_CALL_CLOCK_SETTIME || record.call == DWELL_CALL_CLOCK_ADJTIME) {
    bool named = record.clock >= 0 && record.clock < 32;
    call += fmt::format("({})", clock_name(named ? static_cast<std::uint8_t>(record.clock)
                                                 : static_cast<std::uint8_t>(DWELL_CLOCK_DYNAMIC)));
  }
  std::string what;
  auto add = [&](const std::string& text) { what += (what.empty() ? ": " : ", ") + text; };
  if (record.modes == ADJ_OFFSET_SINGLESHOT) {
    add(fmt::format("slew by {} us", record.offset));
  } else {
    if (record.modes & ADJ_SETOFFSET) add("step");
    if (record.modes & ADJ_OFFSET)
      add(fmt::format("slew by {} {}", record.offset, record.status & STA_NANO ? "ns" : "us"));
    if (record.modes & ADJ_FREQUENCY)
      add(fmt::format("frequency {:+.3f} ppm", static_cast<double>(record.frequency) / kFrequencyUnit));
    if (record.modes & ADJ_TICK) add("tick");
    if (record.modes & ADJ_STATUS) add(fmt::format("status {:#x}", record.status));
    if (record.modes & ADJ_TAI) add("offset of TAI");
  }
  return call + what;
}

}  // namespace dwell
