// SPDX-License-Identifier: Apache-2.0
// Programs whose main thread has ended while another one goes on.
#include <gmock/gmock.h>

#include "tests/end_to_end/truth.h"
#include "tests/targets/headless.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;

const Truth kBefore{"leak_before", BEFORE_BLOCKS, BEFORE_BLOCKS * BEFORE_BYTES};
const Truth kHeadless{"leak_headless", HEADLESS_BLOCKS, HEADLESS_BLOCKS * HEADLESS_BYTES};

TEST(Headless, ItIsRecorded) {
  DWELL_NEEDS_BPF();
  nlohmann::json report = record_scenario({target_binary("headless")}, {"--blocked", "--clocks"}).report;
  expect_kept(report, {kHeadless});
  expect_nothing_lost(report);
}

TEST(Headless, ItsThreadsAndClocksAreSeen) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("headless")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string of = std::to_string(target.pid());
  Finished threads = run({dwell_binary(), "threads", "-p", of});
  EXPECT_EQ(threads.exit, 0) << threads.errors;
  EXPECT_THAT(threads.output, HasSubstr("await_line")) << "the stack of who reads";
  EXPECT_THAT(threads.output, HasSubstr("pipe 0")) << "what it reads from";
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("done"));
  Finished clocks = run({dwell_binary(), "clocks", "-p", of, "-d", "500ms", "--json"});
  ASSERT_EQ(clocks.exit, 0) << clocks.errors;
  EXPECT_GT(nlohmann::json::parse(clocks.output)["reads"].size(), 0u);
  Finished doctor = run({dwell_binary(), "doctor", "-p", of});
  EXPECT_EQ(doctor.exit, 0) << doctor.errors;
  EXPECT_THAT(doctor.output, HasSubstr("glibc in "));
  EXPECT_TRUE(target.running()) << target.describe();
}

// By links of many probes nothing changes; perf uprobes are tied to another thread, and that is told with its length.
TEST(Headless, ItsMainThreadEndsWhileItIsRecorded) {
  DWELL_NEEDS_BPF();
  for (const char* method : {"", "perf"}) {
    TemporaryFolder folder;
    Program target({target_binary("headless"), "later"});
    ASSERT_TRUE(target.wait_for_output("ready"));
    std::vector<std::string> options;
    if (*method) options = {"--attach-method", method};
    Recording recording(target.pid(), folder.file("r.dwell"), options);
    ASSERT_TRUE(recording.attached()) << recording.program().errors();
    target.write_line("leak");
    ASSERT_TRUE(target.wait_for_output("done"));
    target.write_line("end the main thread");
    ASSERT_TRUE(target.wait_for_output("alone")) << target.describe();
    if (*method) {
      ASSERT_TRUE(recording.program().wait_for_error("to which its probes were tied"));
    }
    target.write_line("leak");
    ASSERT_TRUE(target.wait_for_output("done"));
    EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
    nlohmann::json told = report(folder.file("r.dwell"));
    SCOPED_TRACE(std::string("method ") + method);
    expect_kept(told, {kBefore, kHeadless});
    for (const nlohmann::json& loss : told["losses"]) EXPECT_EQ(loss["name"], "microseconds without probes") << loss;
  }
}

}  // namespace
}  // namespace dwell::testing
