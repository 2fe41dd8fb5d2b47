// SPDX-License-Identifier: Apache-2.0
// The detector over hours of clocks that are only simulated.
#include "userspace/clocks/step_detector.h"

#include <gtest/gtest.h>

#include <random>

#include "userspace/clocks/step_ledger.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000'000'000, kHour = 3600 * kSecond;

// A machine whose oscillator is off, whose clock is disciplined, and whose reader is interrupted now and
// then.
class SimulatedClocks {
 public:
  explicit SimulatedClocks(std::uint64_t seed) : random_(seed) {}

  double rate_ppm = 17;  // of the discipline, against the hardware
  double wander_ppm = 0.5;

  void run(std::uint64_t ns) {
    std::normal_distribution<double> wander(0, wander_ppm);
    double steered = static_cast<double>(ns) * (1 + (rate_ppm + wander(random_)) / 1e6);
    raw_ += ns;
    monotonic_ += static_cast<std::uint64_t>(steered);
  }
  void step(std::int64_t ns) { offset_ += ns; }
  void suspend(std::uint64_t ns) {
    asleep_ += ns;
    offset_ += static_cast<std::int64_t>(ns);
  }

  ClockSample read() {
    std::uniform_int_distribution<std::uint64_t> width(80, 400);
    std::uniform_int_distribution<int> dice(0, 99);
    ClockSample sample;
    sample.width_ns = width(random_);
    if (dice(random_) == 0) sample.width_ns *= 100;               // interrupted
    if (dice(random_) == 0) sample.width_ns = 15 * kMillisecond;  // and another ran for a while
    std::uniform_int_distribution<std::uint64_t> within(0, sample.width_ns);
    sample.monotonic_ns = monotonic_ + sample.width_ns / 2;
    sample.realtime_ns = monotonic_ + static_cast<std::uint64_t>(offset_) + within(random_);
    sample.boottime_ns = monotonic_ + asleep_ + within(random_);
    sample.raw_ns = raw_ + within(random_);
    return sample;
  }
  ClockSample read_well() {
    for (;;) {
      ClockSample sample = read();
      if (sample.width_ns < 1000) return sample;
    }
  }

 private:
  std::mt19937_64 random_;
  std::uint64_t raw_ = 100 * kSecond, monotonic_ = 100 * kSecond, asleep_ = 0;
  std::int64_t offset_ = 1'700'000'000'000'000'000;
};

std::vector<ClockMove> watch(SimulatedClocks& clocks, StepDetector& detector, std::uint64_t duration_ns,
                             std::uint64_t every_ns) {
  std::vector<ClockMove> all;
  for (std::uint64_t done = 0; done < duration_ns; done += every_ns) {
    clocks.run(every_ns);
    for (const ClockMove& move : detector.take(clocks.read())) all.push_back(move);
  }
  return all;
}

TEST(StepDetector, GivesNoAlarmOnACleanClockInADay) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SimulatedClocks clocks(seed);
    StepDetector detector;
    std::vector<ClockMove> moves = watch(clocks, detector, 24 * kHour, 250 * kMillisecond);
    EXPECT_TRUE(moves.empty()) << "seed " << seed << ": " << moves.size() << ", the first of "
                               << moves[0].size_ns << " ns, " << moves[0].rate_ppm << " ppm";
  }
}

TEST(StepDetector, FindsEveryStepOnceWithItsSize) {
  SimulatedClocks clocks(3);
  StepDetector detector;
  std::mt19937_64 random(4);
  std::uniform_int_distribution<std::int64_t> size(50'000, 5'000'000'000);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(watch(clocks, detector, 7 * kSecond, 250 * kMillisecond).empty());
    ASSERT_TRUE(detector.take(clocks.read_well()).empty());
    std::int64_t step = size(random) * (i % 2 ? 1 : -1);
    clocks.step(step);
    std::vector<ClockMove> moves = detector.take(clocks.read_well());
    ASSERT_EQ(moves.size(), 1u) << "step " << i << " of " << step << " ns";
    EXPECT_EQ(moves[0].kind, ClockMove::Kind::kStep);
    EXPECT_NEAR(static_cast<double>(moves[0].size_ns), static_cast<double>(step), 1000);
  }
}

TEST(StepDetector, TellsASuspensionFromAStep) {
  SimulatedClocks clocks(5);
  StepDetector detector;
  ASSERT_TRUE(watch(clocks, detector, kHour, kSecond).empty());
  detector.take(clocks.read_well());
  clocks.suspend(1800 * kSecond);
  std::vector<ClockMove> moves = detector.take(clocks.read_well());
  ASSERT_EQ(moves.size(), 1u);
  EXPECT_EQ(moves[0].kind, ClockMove::Kind::kSuspend);
  EXPECT_NEAR(static_cast<double>(moves[0].size_ns), 1800e9, 1000);
  EXPECT_TRUE(watch(clocks, detector, kHour, kSecond).empty());
  // The clock of the hardware was off while the machine slept, and was set right afterwards.
  detector.take(clocks.read_well());
  clocks.suspend(60 * kSecond);
  clocks.step(-40 * static_cast<std::int64_t>(kMillisecond));
  moves = detector.take(clocks.read_well());
  ASSERT_EQ(moves.size(), 2u);
  EXPECT_EQ(moves[1].kind, ClockMove::Kind::kStep);
  EXPECT_NEAR(static_cast<double>(moves[1].size_ns), -40e6, 1000);
}

TEST(StepDetector, KnowsALeapSecondByItsAnnouncement) {
  SimulatedClocks clocks(6);
  StepDetector detector;
  watch(clocks, detector, kHour, kSecond);
  detector.take(clocks.read_well());
  clocks.step(-static_cast<std::int64_t>(kSecond));
  std::vector<ClockMove> moves = detector.take(clocks.read_well(), true);
  ASSERT_EQ(moves.size(), 1u);
  EXPECT_EQ(moves[0].kind, ClockMove::Kind::kLeap);
  clocks.step(-static_cast<std::int64_t>(kSecond));
  moves = detector.take(clocks.read_well(), false);
  ASSERT_EQ(moves.size(), 1u);
  EXPECT_EQ(moves[0].kind, ClockMove::Kind::kStep) << "nobody announced it";
}

TEST(StepDetector, FindsSlewsByTheirRate) {
  SimulatedClocks clocks(7);
  StepDetector detector;
  ASSERT_TRUE(watch(clocks, detector, kHour, kSecond).empty());
  clocks.rate_ppm = 517;  // adjtime() at work
  std::vector<ClockMove> moves = watch(clocks, detector, 60 * kSecond, 250 * kMillisecond);
  ASSERT_GE(moves.size(), 1u);
  ASSERT_LE(moves.size(), 2u) << "at first only a part of the measured time was slewed";
  EXPECT_EQ(moves[0].kind, ClockMove::Kind::kSlew);
  EXPECT_NEAR(moves.back().rate_ppm, 517, 5);
  clocks.rate_ppm = 17;
  moves = watch(clocks, detector, 60 * kSecond, 250 * kMillisecond);
  ASSERT_GE(moves.size(), 1u);
  EXPECT_NEAR(moves.back().rate_ppm, 17, 5);
  EXPECT_TRUE(watch(clocks, detector, 5 * kHour, 250 * kMillisecond).empty());
}

// ---- the ledger ----

dwell_clock_set_record set_by(std::uint32_t pid, std::uint64_t time_ns, std::int64_t step_ns) {
  dwell_clock_set_record record{};
  record.call = DWELL_CALL_CLOCK_SETTIME;
  record.tgid = pid;
  record.time_ns = time_ns;
  record.step_ns = step_ns;
  return record;
}

TEST(StepLedger, NamesTheAuthorOfAStep) {
  SimulatedClocks clocks(8);
  StepLedger ledger;
  ledger.sampled(clocks.read_well());
  clocks.run(kSecond);
  clocks.step(5'000'000);
  ledger.called(set_by(77, clocks.read_well().monotonic_ns, 5'000'100));
  clocks.run(kMillisecond);
  EXPECT_TRUE(ledger.sampled(clocks.read_well()).empty());
  ASSERT_EQ(ledger.entries().size(), 1u);
  EXPECT_EQ(ledger.entries()[0].author->tgid, 77u);
  EXPECT_EQ(ledger.entries()[0].size_ns, 5'000'100);
}

TEST(StepLedger, KeepsAStepThatWasUndoneBeforeAnybodyLooked) {
  SimulatedClocks clocks(9);
  StepLedger ledger;
  ledger.sampled(clocks.read_well());
  ledger.called(set_by(1, 1, 5'000'000));
  ledger.called(set_by(1, 2, -5'000'000));
  clocks.run(kSecond);
  EXPECT_TRUE(ledger.sampled(clocks.read_well()).empty());
  EXPECT_EQ(ledger.entries().size(), 2u);
}

TEST(StepLedger, TellsWhatNoCallExplains) {
  SimulatedClocks clocks(10);
  StepLedger ledger;
  ledger.sampled(clocks.read_well());
  ledger.called(set_by(1, 1, 5'000'000));
  clocks.step(5'000'000);
  clocks.step(30'000'000);  // and the hypervisor
  clocks.run(kSecond);
  std::vector<std::int64_t> rest = ledger.sampled(clocks.read_well());
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_NEAR(static_cast<double>(rest[0]), 30e6, 2000);
  ASSERT_EQ(ledger.entries().size(), 2u);
  EXPECT_FALSE(ledger.entries()[1].author);
}

TEST(StepLedger, MeasuresWhatTheCallCouldNotTell) {
  SimulatedClocks clocks(11);
  StepLedger ledger;
  ledger.sampled(clocks.read_well());
  ledger.called(set_by(5, 1, 0));  // a kernel without the helper that tells
  clocks.step(-7'000'000);
  clocks.run(kSecond);
  EXPECT_TRUE(ledger.sampled(clocks.read_well()).empty());
  ASSERT_EQ(ledger.entries().size(), 1u);
  EXPECT_NEAR(static_cast<double>(ledger.entries()[0].size_ns), -7e6, 2000);
}

TEST(StepLedger, KeepsFailedCallsAndSettingsApart) {
  StepLedger ledger;
  dwell_clock_set_record failed = set_by(3, 1, 0);
  failed.result = -1;
  ledger.called(failed);
  dwell_clock_set_record steered{};
  steered.call = DWELL_CALL_ADJTIMEX;
  steered.modes = 2;
  steered.frequency = 65536 * 12;
  ledger.called(steered);
  ASSERT_EQ(ledger.entries().size(), 2u);
  EXPECT_EQ(ledger.entries()[0].size_ns, 0);
  EXPECT_EQ(ledger.entries()[1].kind, ClockMove::Kind::kSlew);
  EXPECT_EQ(describe_set(steered), "adjtimex: frequency +12.000 ppm");
}

}  // namespace
}  // namespace dwell
