// SPDX-License-Identifier: Apache-2.0
// What is a leak at a call site, and what only looks like one.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "userspace/views/leaks.h"

namespace dwell {
namespace {

constexpr std::uint64_t kOneSecond = 1'000'000'000, kOneMillisecond = 1'000'000;
constexpr std::uint64_t kSiteStart = 5000 * kOneSecond, kMinuteNs = 60 * kOneSecond;

class Site {
 public:
  Site& closes(std::uint64_t count, std::uint64_t after_ns) {
    history_.lifetimes[static_cast<std::uint8_t>(std::bit_width(after_ns))] += count;
    return *this;
  }
  Site& keeps(std::uint64_t at_ns) {
    history_.opened_ns.push_back(kSiteStart + at_ns);
    return *this;
  }
  std::optional<SiteLeak> leak_after(std::uint64_t ns) {
    history_.end_ns = kSiteStart + ns;
    std::erase_if(history_.opened_ns, [&](std::uint64_t time) { return time > history_.end_ns; });
    return find_leak(history_);
  }

 private:
  SiteHistory history_;
};

TEST(SiteLeaks, OneInAThousandIsFoundWithinAMinute) {
  std::mt19937 random(7);
  std::uniform_int_distribution<std::uint64_t> any(0, kMinuteNs);
  int found = 0;
  for (int round = 0; round < 100; ++round) {
    Site site;
    for (int i = 0; i < 20; ++i) site.keeps(any(random));
    site.closes(20'000, 3 * kOneMillisecond);
    found += site.leak_after(kMinuteNs).has_value();
  }
  EXPECT_GE(found, 95);
}

TEST(SiteLeaks, TellsHowManyStayAndHowSoonTheOthersWereClosed) {
  Site site;
  for (std::uint64_t i = 0; i < 60; ++i) site.keeps(i * kOneSecond);
  std::optional<SiteLeak> leak = site.closes(60'000, 900'000).leak_after(kMinuteNs);
  ASSERT_TRUE(leak);
  EXPECT_EQ(leak->staying, 59u) << "the last one may be in use";
  EXPECT_EQ(leak->since_ns, kSiteStart);
  EXPECT_NEAR(leak->per_minute, 60, 3);
  EXPECT_EQ(leak->closed_within_ns, 1u << 20);
}

TEST(SiteLeaks, WithoutAnyThatWasClosed) {
  Site site;
  for (std::uint64_t i = 0; i < 12; ++i) site.keeps(i * 5 * kOneSecond);
  EXPECT_TRUE(site.leak_after(kMinuteNs));
}

TEST(SiteLeaks, SeveralAtATimeNowAndThen) {
  Site site;
  for (std::uint64_t i = 0; i < 10; ++i)
    for (std::uint64_t k = 0; k < 20; ++k) site.keeps(i * 30 * kOneSecond + k);
  EXPECT_TRUE(site.leak_after(5 * kMinuteNs));
}

TEST(SiteLeaks, ThatBeganInTheMiddle) {
  Site site;
  for (std::uint64_t i = 0; i < 30; ++i) site.keeps(5 * kMinuteNs + i * 10 * kOneSecond);
  EXPECT_TRUE(site.closes(1'000'000, kOneMillisecond).leak_after(10 * kMinuteNs));
}

TEST(SiteLeaks, ThatIsOverIsNone) {
  Site site;
  for (std::uint64_t i = 0; i < 30; ++i) site.keeps(i * kOneSecond);
  EXPECT_FALSE(site.leak_after(2 * kMinuteNs));
}

TEST(SiteLeaks, APoolThatIsFilledIsNone) {
  Site at_once, slowly;
  for (std::uint64_t i = 0; i < 100; ++i) at_once.keeps(i * kOneMillisecond);
  EXPECT_FALSE(at_once.leak_after(kMinuteNs));
  for (int i = 0; i < 200; ++i) {  // ever more slowly, as fewer are missing
    double part = i / 205.0;
    slowly.keeps(static_cast<std::uint64_t>(-std::log(1 - part) * 20e9));
  }
  EXPECT_FALSE(slowly.leak_after(kMinuteNs));
}

TEST(SiteLeaks, ACacheInEquilibriumIsNone) {
  Site site;
  for (std::uint64_t i = 0; i < 600; ++i) site.keeps(60 * kMinuteNs - i * kOneSecond);  // the last ten minutes' are open
  EXPECT_FALSE(site.closes(3000, 10 * kMinuteNs).leak_after(60 * kMinuteNs));
}

TEST(SiteLeaks, ConnectionsInUseAreNone) {
  std::mt19937 random(3);
  std::exponential_distribution<double> lives(1 / 20e9);  // 20 s on average
  for (int round = 0; round < 50; ++round) {
    Site site;
    for (std::uint64_t at = 0; at < 3 * kMinuteNs; at += kOneSecond / 2) {
      auto life = static_cast<std::uint64_t>(lives(random));
      if (at + life < 3 * kMinuteNs) site.closes(1, life);
      else site.keeps(at);
    }
    EXPECT_FALSE(site.leak_after(3 * kMinuteNs)) << round;
  }
}

TEST(SiteLeaks, AFewOrTooShortATimeTellNothing) {
  Site few, shortly;
  for (std::uint64_t i = 0; i < 5; ++i) few.keeps(i * 10 * kOneSecond);
  EXPECT_FALSE(few.leak_after(kMinuteNs));
  for (std::uint64_t i = 0; i < 100; ++i) shortly.keeps(i * 100 * kOneMillisecond);
  EXPECT_FALSE(shortly.leak_after(10 * kOneSecond));
}

TEST(SiteLeaks, NothingAtAllIsNone) {
  EXPECT_FALSE(find_leak({}));
  EXPECT_EQ(lifetime_quantile({}, 0.5), std::nullopt);
  EXPECT_EQ(lifetime_quantile({{0, 1}}, 0.5), 1u);
  EXPECT_EQ(lifetime_quantile({{10, 95}, {64, 5}}, 0.95), 1024u);
  EXPECT_EQ(lifetime_quantile({{10, 95}, {64, 5}}, 0.96), ~0ull);
}

}  // namespace
}  // namespace dwell
