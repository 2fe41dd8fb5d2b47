// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/cpu_time.h"

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

namespace dwell {
namespace {

TEST(WantedCpuTime, IsReadAsTheSchedulerWritesIt) {
  std::optional<WantedCpuTime> read = wanted_cpu_time_in("417000 23000 9\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ran_ns, 417000U);
  EXPECT_EQ(read->waited_ns, 23000U);
  EXPECT_FALSE(wanted_cpu_time_in(""));
  EXPECT_FALSE(wanted_cpu_time_in("417000 23000"));
  EXPECT_FALSE(wanted_cpu_time_in("a b c"));
}

TEST(WantedCpuTime, OfThisProcessGrowsByWhatItRuns) {
  std::optional<WantedCpuTime> before = wanted_cpu_time(::getpid());
  if (!before) GTEST_SKIP() << "the kernel keeps no count";
  constexpr std::int64_t kRunNs = 50'000'000;
  auto cpu_ns = [] {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  };
  for (std::int64_t end = cpu_ns() + kRunNs; cpu_ns() < end;) {
  }
  std::optional<WantedCpuTime> after = wanted_cpu_time(::getpid());
  ASSERT_TRUE(after);
  EXPECT_GE(after->ran_ns - before->ran_ns, static_cast<std::uint64_t>(kRunNs * 8 / 10));
  EXPECT_GE(after->waited_ns, before->waited_ns);
}

TEST(WantedCpuTime, OfAProcessThatIsNotThereIsNone) { EXPECT_FALSE(wanted_cpu_time(0x7fffffff)); }

}  // namespace
}  // namespace dwell
