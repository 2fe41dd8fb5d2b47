// SPDX-License-Identifier: Apache-2.0
// What dwell does by itself so that its target is not hurt: it stops when it costs too much, reads the target's
// mappings within a budget, and is the first that the kernel ends when memory runs out.
#include <signal.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/end_to_end/harness.h"
#include "tests/robustness/residue.h"

namespace dwell::testing {
namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string proc(pid_t pid, const std::string& name) { return text_of("/proc/" + std::to_string(pid) + "/" + name); }

std::uint64_t bytes_read(pid_t pid) {
  std::string io = proc(pid, "io");
  return std::stoull(io.substr(io.find("rchar: ") + 7));
}

class Guardrails : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
  TemporaryFolder folder_;
};

TEST_F(Guardrails, ProbesThatTakeMostOfTheTargetsTimeAreTakenAway) {
  Program target({target_binary("restless"), "work"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string path = folder_.file("r.dwell");
  // The limit is far below what a program that does nothing else costs; the default is for that program.
  Finished dwell = run({dwell_binary(), "record", "-p", std::to_string(target.pid()), "-d", "60", "--exact", "--detach-above", "1%", "-o", path});
  EXPECT_EQ(dwell.exit, 0) << dwell.errors;
  EXPECT_NE(dwell.errors.find("--detach-above"), std::string::npos) << dwell.errors;
  nlohmann::json report = dwell::testing::report(path);
  EXPECT_TRUE(report["ended"].get<bool>());
  EXPECT_EQ(report["end_reason"].get<std::string>().rfind("probes took ", 0), 0u) << report["end_reason"];
  EXPECT_LT(report["recording"]["duration_ns"].get<double>(), 30e9);
  EXPECT_NE(run({dwell_binary(), "report", path}).output.find("--detach-above"), std::string::npos);
  EXPECT_TRUE(target.running());
  EXPECT_TRUE(eventually([&] { return changed_code(target.pid()).empty(); }));
}

// How long one look at the mappings takes is measured here, side by side: the load does not matter.
TEST_F(Guardrails, AStormOfMappingsIsReadWithinABudget) {
  Program target({target_binary("mapping_storm"), "8000"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder_.file("r.dwell"), {"--without", "go"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  pid_t dwell = recording.program().pid();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // what it may read in advance is read
  std::uint64_t before = bytes_read(dwell);
  Clock::time_point began = Clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  double reads = static_cast<double>(bytes_read(dwell) - before) / static_cast<double>(proc(target.pid(), "maps").size());
  Clock::time_point read_began = Clock::now();
  (void)proc(target.pid(), "maps");
  double one = std::chrono::duration<double>(Clock::now() - read_began).count();
  std::printf("%.1f reads a second, of %.1f ms each\n", reads / seconds, one * 1000);
  EXPECT_LT(reads * one / seconds, 0.15) << reads << " reads of " << one << " s";
  EXPECT_GT(reads, 0.9) << "what is new is seen all the same";
  target.write_line("stop");
  EXPECT_TRUE(target.wait_for_output("mapped "));
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
}

TEST_F(Guardrails, DwellDiesBeforeItsTargetWhenMemoryRunsOut) {
  Program target({target_binary("restless"), "work"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder_.file("r.dwell"));
  ASSERT_TRUE(recording.attached());
  EXPECT_EQ(proc(recording.program().pid(), "oom_score_adj"), "1000\n");
  EXPECT_EQ(recording.stop(), 0);
  // What dwell starts keeps what it would have had.
  Finished started = run({dwell_binary(), "record", "-q", "-o", folder_.file("s.dwell"), "--", "cat", "/proc/self/oom_score_adj"});
  EXPECT_EQ(started.output, text_of("/proc/self/oom_score_adj")) << started.errors;
}

}  // namespace
}  // namespace dwell::testing
