// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/guardrail.h"

#include <gtest/gtest.h>

#include "userspace/record/look_budget.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMs = 1'000'000, kSecond = 1000 * kMs;

// A target that runs all the time, of which the probes take a share; it is looked at four times a second.
struct Trace {
  Guardrail guardrail;
  std::uint64_t time_ns = 0, cost_ns = 0;

  // Until so many more seconds have passed, or the guardrail answers.
  std::optional<double> go_on(double share, std::uint64_t seconds) {
    for (std::uint64_t end = time_ns + seconds * kSecond; time_ns < end;) {
      time_ns += kSecond / 4;
      cost_ns += static_cast<std::uint64_t>(share * kSecond / 4);
      if (std::optional<double> above = guardrail.add(kSecond + time_ns, cost_ns, time_ns)) return above;
    }
    return std::nullopt;
  }
};

TEST(Guardrail, AShareAboveTheLimitForAWholeWindowIsTold) {
  Trace trace{Guardrail(90)};
  EXPECT_FALSE(trace.go_on(0.95, 5)) << "too early to say";
  std::optional<double> above = trace.go_on(0.95, 1);
  ASSERT_TRUE(above);
  EXPECT_NEAR(*above, 95, 0.1);
}

TEST(Guardrail, WhatIsBelowGoesOnForEver) { EXPECT_FALSE(Trace{Guardrail(90)}.go_on(0.71, 600)); }

TEST(Guardrail, ItIsTheLastSecondsThatCount) {
  Trace trace{Guardrail(90)};
  EXPECT_FALSE(trace.go_on(0.10, 600));
  EXPECT_TRUE(trace.go_on(0.99, 8)) << "ten quiet minutes do not pay for it";
}

TEST(Guardrail, ABurstIsNotAWindow) {
  Trace trace{Guardrail(90)};
  EXPECT_FALSE(trace.go_on(0.10, 20));
  EXPECT_FALSE(trace.go_on(1.0, 4));
  EXPECT_FALSE(trace.go_on(0.10, 20));
}

TEST(Guardrail, ATargetThatHardlyRunsIsNotHurt) {
  Guardrail guardrail(90);
  for (std::uint64_t s = 0; s < 60; ++s) EXPECT_FALSE(guardrail.add((s + 1) * kSecond, s * 10 * kMs, s * 10 * kMs));
}

TEST(Guardrail, NoLimitIsNoLimit) { EXPECT_FALSE(Trace{Guardrail(0)}.go_on(1.0, 60)); }

// News without end, each look taking so long: how many looks in a minute, and the longest wait between two.
struct Looks {
  int count = 0;
  std::uint64_t longest_wait_ns = 0, took_ns = 0;
};
Looks looks_in_a_minute(std::uint64_t look_ns) {
  LookBudget budget;
  Looks looks;
  std::uint64_t last = kSecond;
  for (std::uint64_t now = kSecond; now < 61 * kSecond; now += kMs) {
    if (!budget.allows(now)) continue;
    budget.spent(now, now + look_ns);
    looks.longest_wait_ns = std::max(looks.longest_wait_ns, now - last);
    looks.took_ns += look_ns;
    ++looks.count;
    now += look_ns;
    last = now;
  }
  return looks;
}

TEST(LookBudget, AStormOfNewsTakesAFractionOfTheTime) {
  for (std::uint64_t look_ms : {1, 5, 20, 40}) {
    Looks looks = looks_in_a_minute(look_ms * kMs);
    EXPECT_LE(looks.took_ns, 60 * kSecond / 20 + 200 * kMs) << look_ms;
    EXPECT_GE(looks.took_ns, 60 * kSecond / 30) << look_ms << ": the budget is used";
    EXPECT_LE(looks.longest_wait_ns, 1001 * kMs) << look_ms;
  }
}

TEST(LookBudget, EvenTheSlowestLookComesWithinASecond) {
  Looks looks = looks_in_a_minute(500 * kMs);
  EXPECT_LE(looks.longest_wait_ns, 1001 * kMs);
}

TEST(LookBudget, AFewLooksInARowAreFree) {
  LookBudget budget;
  std::uint64_t now = kSecond;
  for (int i = 0; i < 20; ++i, now += 5 * kMs) {
    EXPECT_TRUE(budget.allows(now)) << i;
    budget.spent(now, now + 4 * kMs);
  }
}

TEST(Pace, FewNewsAreAnsweredAtOnceAndAStormIsGathered) {
  Pace pace;
  std::uint64_t now = kSecond, answers = 0;
  for (int library = 0; library < 25; ++library) EXPECT_EQ(pace.after_news(now += kMs), now) << library;
  for (std::uint64_t end = now + kSecond; now < end; ++answers) now = std::max(pace.after_news(now), now + kMs / 10);
  EXPECT_LE(answers, 150u);
  now += kSecond;
  pace.after_news(now);
  EXPECT_EQ(pace.after_news(now += 200 * kMs), now) << "the storm is over";
}

}  // namespace
}  // namespace dwell
