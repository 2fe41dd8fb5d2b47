// SPDX-License-Identifier: Apache-2.0
// The target goes on, and nothing stays behind, however often dwell comes and however it goes. DWELL_ATTACHMENTS and
// DWELL_RANDOM_KILLS say how often; scripts/prove-target-safety does it 200 and 50 times.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/end_to_end/harness.h"
#include "tests/robustness/residue.h"

namespace dwell::testing {
namespace {

int times(const char* setting, int otherwise) {
  const char* value = std::getenv(setting);
  return std::max(1, value ? std::atoi(value) : otherwise);
}
const int kAttachments = times("DWELL_ATTACHMENTS", 40);
const int kKills = times("DWELL_RANDOM_KILLS", 15);

// CPU time in clock ticks: utime and stime of /proc/PID/stat.
long cpu_ticks(pid_t pid) {
  std::string command = "awk '{print $14+$15}' /proc/" + std::to_string(pid) + "/stat";
  return std::atol(run({"sh", "-c", command}).output.c_str());
}

// A service under load, which must have gone on working when it is asked.
class Survival : public ::testing::Test {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    programs_before_ = bpf_program_ids();
    service_.emplace(std::vector<std::string>{target_binary("leaking_service")});
    ASSERT_TRUE(eventually([&] { return cpu_ticks(service_->pid()) > 0; }));
  }
  void expect_serving() {
    long before = cpu_ticks(service_->pid());
    EXPECT_TRUE(eventually([&] { return cpu_ticks(service_->pid()) > before; })) << "the target stands still";
  }
  void expect_no_residue() {
    // The kernel takes probes away some grace periods after the last descriptor is gone.
    EXPECT_TRUE(eventually([&] { return changed_code(service_->pid()).empty(); }))
        << "a breakpoint is left at " << changed_code(service_->pid())[0];
    std::set<unsigned> left = orphaned_bpf_program_ids();
    EXPECT_TRUE(eventually([&] {
      std::set<unsigned> loaded = bpf_program_ids();
      std::erase_if(left, [&](unsigned id) { return programs_before_.count(id) || !loaded.count(id); });
      return left.empty();
    })) << "BPF program " << *left.begin() << " is left";
  }

  TemporaryFolder folder_;
  std::set<unsigned> programs_before_;
  std::optional<Program> service_;
};

TEST_F(Survival, AttachesAndDetachesManyTimesUnderLoad) {
  for (int i = 0; i < kAttachments; ++i) {
    Finished dwell = run({dwell_binary(), "record", "-p", std::to_string(service_->pid()), "-d", "20ms", "-q",
                          "--no-symbols", "-o", folder_.file("attached.dwell")});
    ASSERT_EQ(dwell.exit, 0) << "attachment " << i << ": " << dwell.errors;
    ASSERT_TRUE(service_->running()) << "attachment " << i;
    std::filesystem::remove(folder_.file("attached.dwell"));  // an older recording is kept, but not any number of them
  }
  expect_serving();
  expect_no_residue();
  service_->signal(SIGTERM);
  EXPECT_EQ(service_->wait(), 0);
}

TEST_F(Survival, IsKilledAtRandomMoments) {
  std::mt19937 random(20);
  int with_file = 0;
  // Until a recording has begun it takes longer where probes are dear, or the machine is busy.
  std::string first = folder_.file("first.dwell");
  Program before({dwell_binary(), "record", "-p", std::to_string(service_->pid()), "-d", "60s", "-o", first});
  auto started = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(first); }));
  auto begins_in = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started).count();
  before.signal(SIGKILL);
  before.wait();
  auto latest = static_cast<unsigned>(std::max<long long>(2500, 3 * begins_in));
  for (int i = 0; i < kKills; ++i) {
    std::string path = folder_.file("killed-" + std::to_string(i) + ".dwell");
    {
      Program dwell({dwell_binary(), "record", "-p", std::to_string(service_->pid()), "-d", "60s", "-o", path});
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % latest));  // the moment of the kill
      dwell.signal(SIGKILL);
      dwell.wait();
    }
    ASSERT_TRUE(service_->running()) << "kill " << i;
    if (!std::filesystem::exists(path)) continue;
    ++with_file;
    Finished report = run({dwell_binary(), "report", path});
    EXPECT_EQ(report.exit, 0) << "kill " << i << ": " << report.errors;
  }
  EXPECT_GT(with_file, kKills / 3) << "most kills must have hit a recording that had begun";
  expect_serving();
  expect_no_residue();
}

}  // namespace
}  // namespace dwell::testing
