// SPDX-License-Identifier: Apache-2.0
// Where probes on Go functions stand, in running programs. DWELL_GO_LEAKS may name more builds of the target,
// by other versions of Go.
#include "userspace/go/record/probes.h"

#include <gtest/gtest.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

std::vector<std::string> targets() { return builds_of({"stuck_pie", "stuck_stripped", "leaks"}, "DWELL_GO_LEAKS"); }

class GoProbes : public ::testing::TestWithParam<std::string> {};

TEST_P(GoProbes, StandOnCheapInstructionsBehindTheStackCheck) {
  DWELL_NEEDS_BPF();
  Program target({GetParam(), "mutex"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Result<Calibration> calibration = calibrate();
  ASSERT_TRUE(calibration);

  int minor = runtime->layout().minor;
  std::string_view lock = minor >= 24 ? "internal/sync.(*Mutex).lockSlow" : "sync.(*Mutex).lockSlow";
  std::vector<GoProbe> probes = find_go_probes(
      runtime->module(),
      std::vector<std::string_view>{"runtime.gopark", "runtime.execute", lock, "runtime.newproc1",
                                    "runtime.(*mcache).refill", "main.noSuchFunction"},
      *calibration);
  ASSERT_EQ(probes.size(), 6u);
  EXPECT_NE(probes.back().why_not.find("no function main.noSuchFunction"), std::string::npos);
  probes.pop_back();
  for (const GoProbe& probe : probes) {
    ASSERT_TRUE(probe.found()) << probe.why_not;
    const GoPlacement& best = probe.placements.at(0);
    EXPECT_EQ(best.trap, TrapClass::kEmulated) << probe.function << ": " << best.instruction;
    EXPECT_EQ(best.at_stack_check, minor <= 20) << probe.function << ": " << best.instruction;
    EXPECT_EQ(best.instruction.substr(0, 3), minor <= 20 ? "jbe" : "pus");
    // The file has, at that offset, what the process has at the address.
    char in_process[16], in_file[16];
    ASSERT_TRUE(runtime->memory().read(probe.address, in_process, sizeof in_process));
    ASSERT_TRUE(
        runtime->module().elf->read_at(probe.file_offset, std::as_writable_bytes(std::span(in_file))));
    EXPECT_EQ(std::memcmp(in_process, in_file, sizeof in_file), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, GoProbes, ::testing::ValuesIn(targets()));

}  // namespace
}  // namespace dwell::testing
