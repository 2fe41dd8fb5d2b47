// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/creation_pace.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000 * kMillisecond;

// Whether it is too dear in any of ten seconds with so many threads created in each, and so much CPU time used.
bool too_dear(int created_a_second, std::uint64_t cpu_ns_a_second) {
  CreationPace pace;
  bool dear = false;
  for (std::uint64_t second = 1; second <= 10; ++second) {
    for (std::uint64_t part = 0; part < 10; ++part)
      dear |= pace.too_dear(second * kSecond + part * 100 * kMillisecond, second * cpu_ns_a_second);
    for (int i = 0; i < created_a_second; ++i) pace.created();
  }
  return dear;
}

TEST(CreationPace, AServiceThatCreatesAFewThreadsIsFollowed) {
  EXPECT_FALSE(too_dear(0, 0));
  EXPECT_FALSE(too_dear(100, kSecond));
  EXPECT_FALSE(too_dear(1500, kSecond)) << "22.5 ms of 1.2 s";
  EXPECT_FALSE(too_dear(250, 0)) << "idle but for that";
}

TEST(CreationPace, OneThatDoesLittleElseIsNot) {
  EXPECT_TRUE(too_dear(45'000, kSecond));
  EXPECT_TRUE(too_dear(3000, kSecond));
  EXPECT_TRUE(too_dear(1000, 0));
}

// What it did before it was looked at is not of that second.
TEST(CreationPace, TheFirstLookOnlyBegins) {
  CreationPace pace;
  for (int i = 0; i < 100'000; ++i) pace.created();
  EXPECT_FALSE(pace.too_dear(50 * kSecond, 100 * kSecond));
  EXPECT_FALSE(pace.too_dear(51 * kSecond, 100 * kSecond));
}

}  // namespace
}  // namespace dwell
