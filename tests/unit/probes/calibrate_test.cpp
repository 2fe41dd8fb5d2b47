// SPDX-License-Identifier: Apache-2.0
// Real probes on functions of our own, by each method that this kernel has.
#include "userspace/probes/calibrate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "userspace/probes/toggle_price.h"

namespace dwell {
namespace {

class EachMethod : public testing::TestWithParam<AttachMethod> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_P(EachMethod, CountsEveryCallAndKnowsItsPrice) {
  Result<Calibration> calibration = calibrate(GetParam());
  ASSERT_TRUE(calibration) << calibration.error().what;
  const ProbeAbilities& abilities = calibration->abilities;
  if (!abilities.best)
    GTEST_SKIP() << abilities.why_not_session << abilities.why_not_multi << abilities.why_not_perf;
  EXPECT_EQ(*abilities.best, GetParam());
  const TrapPrices& prices = calibration->prices;
  RecordProperty("nop5_ns", std::to_string(prices.entry_ns[0]));
  for (double price : prices.entry_ns) EXPECT_GT(price, 0);
  EXPECT_GT(prices.return_ns, 0);
  printf("%s: nop5 %.0f emulated %.0f stepped %.0f return +%.0f ns, pid filter exact %d, nop5 is a call %d, nop4 emulated %d\n",
         attach_method_name(GetParam()), prices.entry_ns[0], prices.entry_ns[1], prices.entry_ns[2], prices.return_ns,
         abilities.pid_filter_exact, abilities.nop5_is_a_call, abilities.long_nops_emulated);
}

std::string method_name(const testing::TestParamInfo<AttachMethod>& method) {
  static constexpr const char* kNames[] = {"Session", "Multi", "Perf"};
  return kNames[static_cast<int>(method.param)];
}
INSTANTIATE_TEST_SUITE_P(Probes, EachMethod,
                         testing::Values(AttachMethod::kSession, AttachMethod::kMulti, AttachMethod::kPerf), method_name);

TEST_P(EachMethod, AFilteredChildTellsWhetherProbesKill) {
  Result<Calibration> calibration = calibrate(GetParam());
  ASSERT_TRUE(calibration) << calibration.error().what;
  if (!calibration->abilities.best) GTEST_SKIP();
  EXPECT_NE(try_seccomp(GetParam()), SeccompAnswer::kUnknown);
}

TEST(TogglePrice, IsThatOfAnInterruptForEachInstructionThatIsWritten) {
  EXPECT_GT(flush_ns(), 100) << "no machine delivers an interrupt faster";
  EXPECT_LT(flush_ns(), 1e6);
  EXPECT_DOUBLE_EQ(toggle_ns(8, 1, 6000), 96'000);
  EXPECT_DOUBLE_EQ(toggle_ns(8, 4, 6000), 384'000) << "each CPU that runs the process";
  EXPECT_DOUBLE_EQ(toggle_ns(8, 0, 6000), 9600) << "one that sleeps now is met at work sometimes";
}

}  // namespace
}  // namespace dwell
