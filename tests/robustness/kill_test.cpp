// SPDX-License-Identifier: Apache-2.0
// SIGKILL of dwell in the moments that could hurt: while its target calls exec or fork, while dwell attaches or
// detaches, while it holds a program that it starts. The target lives, its code is its file's, and it ends with its
// own words and its own status. DWELL_KILLS says how often; scripts/prove-target-safety does it 1,000 times.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "tests/end_to_end/harness.h"
#include "tests/robustness/residue.h"
#include "tests/targets/restless.h"

namespace dwell::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kWindows = 7;
constexpr int kKillsOfATarget = 10;

int kills_for_each_window() {
  const char* all = std::getenv("DWELL_KILLS");
  return std::max(1, (all ? std::atoi(all) : 21) / kWindows);
}

struct Window {
  std::string name;
  std::string kind;                   // of the target
  std::vector<std::string> command;   // of dwell, before -p PID
  double from = 0, to = 1.5;          // of the kill, in times that attaching takes
  bool toggles = false;               // its probes come and go all the time
};

const Window kExec{"exec", "exec", {"record", "-q", "-d", "60", "--no-symbols"}, 0.7, 1.7};
const Window kThreadExec{"exec by another thread", "thread", {"record", "-q", "-d", "60", "--no-symbols"}, 0.7, 1.7};
const Window kFork{"fork, followed", "fork", {"record", "-q", "-d", "60", "--no-symbols", "--follow-forks"}, 0.7, 1.7};
const Window kAttach{"attach and detach", "work", {"record", "-q", "-d", "5ms", "--no-symbols"}, 0, 1.6};
const Window kClocks{"windows of clock probes", "work", {"clocks", "-d", "60", "--share", "50"}, 0.5, 3, true};

const Window kGo{"windows of Go probes", "go",
                 {"record", "-q", "-d", "60", "--no-symbols", "--go-blocked", "--contexts"}, 0.7, 2.5, true};

std::vector<std::string> target_of(const Window& window) {
  return {target_binary(window.kind == "go" ? "go/restless" : "restless"), window.kind};
}

class Kills : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  std::vector<std::string> command_of(const Window& window, pid_t pid) {
    std::vector<std::string> command{dwell_binary()};
    command.insert(command.end(), window.command.begin(), window.command.end());
    command.insert(command.end(), {"-p", std::to_string(pid)});
    if (window.command[0] == "record") command.insert(command.end(), {"-o", folder_.file("killed.dwell")});
    return command;
  }

  // How long it takes here and now, under whatever load there is.
  Milliseconds time_to_attach() {
    Program target({target_binary("restless"), "work"});
    EXPECT_TRUE(target.wait_for_output("ready"));
    Clock::time_point began = Clock::now();
    Program dwell({dwell_binary(), "record", "-d", "5ms", "--no-symbols", "-o", folder_.file("once.dwell"), "-p",
                   std::to_string(target.pid())});
    EXPECT_TRUE(dwell.wait_for_error("recording restless")) << dwell.errors();
    return Clock::now() - began;
  }

  void kill_in(const Window& window) {
    Milliseconds attach = time_to_attach();
    int left = kills_for_each_window(), targets = 0;
    for (; left > 0; left -= kKillsOfATarget, ++targets) {
      Program target(target_of(window));
      ASSERT_TRUE(target.wait_for_output("ready"));
      for (int i = 0; i < std::min(left, kKillsOfATarget); ++i) {
        Program dwell(command_of(window, target.pid()));
        double moment = std::uniform_real_distribution(window.from, window.to)(random_);
        std::this_thread::sleep_for(attach * moment);
        dwell.signal(SIGKILL);
        dwell.wait();
        ASSERT_TRUE(target.running()) << window.name << ", kill " << i << ": " << target.describe() << target.errors();
      }
      expect_unhurt(target, window);
    }
    std::printf("%-26s %5d kills, %3d targets, none hurt; attaching takes %.0f ms\n", window.name.c_str(),
                kills_for_each_window(), targets, attach.count());
  }

  void expect_unhurt(Program& target, const Window& window) {
    target.write_line("stop");
    ASSERT_TRUE(target.wait_for_output(window.kind + " done")) << target.describe() << target.errors();
    auto clean = [&] { return changed_code(target.pid()).empty(); };
    // A kill in the very system call that takes probes away makes the kernel leave a breakpoint without a listener,
    // which hurts nobody. Where probes come and go all the time that is met.
    if (window.toggles && !eventually(clean, std::chrono::seconds(5)))
      std::printf("%s: the kernel has left a breakpoint at %s\n", window.name.c_str(), changed_code(target.pid())[0].c_str());
    else
      EXPECT_TRUE(eventually(clean)) << "a breakpoint is left at " << changed_code(target.pid())[0];
    target.write_line("end");
    EXPECT_EQ(target.wait(), RESTLESS_STATUS) << target.errors();
  }

  TemporaryFolder folder_;
  std::mt19937 random_{11};
};

// True: no child is left.
bool reap_all(std::map<pid_t, int>& ended) {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) ended[pid] = status;
  return pid < 0;
}

TEST_F(Kills, WhileTheTargetCallsExec) { kill_in(kExec); }
TEST_F(Kills, WhileAnotherThreadCallsExec) { kill_in(kThreadExec); }
TEST_F(Kills, WhileTheTargetForks) { kill_in(kFork); }
TEST_F(Kills, WhileDwellAttachesAndDetaches) { kill_in(kAttach); }
TEST_F(Kills, WhileClockProbesComeAndGo) { kill_in(kClocks); }
TEST_F(Kills, WhileGoProbesComeAndGo) {
  if (::access(target_of(kGo)[0].c_str(), X_OK) != 0) GTEST_SKIP() << "it was not built: Go is not installed";
  kill_in(kGo);
}

// The program that dwell starts is held until its probes are in place. Killed before execve(), it never starts;
// killed later, it does what it would have done.
TEST_F(Kills, WhileDwellHoldsAProgram) {
  Milliseconds attach = time_to_attach();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  int begun = 0;
  for (int i = 0; i < kills_for_each_window(); ++i) {
    std::string out = folder_.file("out-" + std::to_string(i));
    Program dwell({dwell_binary(), "record", "-q", "--no-symbols", "-o", folder_.file("killed.dwell"), "--", "sh", "-c",
                   "echo $$ > " + out + "; exec env A=B sh -c 'echo done >> " + out + "; exit 7'"});
    std::this_thread::sleep_for(attach * std::uniform_real_distribution(0.0, 1.4)(random_));
    dwell.signal(SIGKILL);
    dwell.wait();
    // Everything that dwell started is ours now, and must end by itself.
    std::map<pid_t, int> ended;
    EXPECT_TRUE(eventually([&] { return reap_all(ended); })) << "a child of dwell waits for ever, kill " << i;
    std::ifstream file(out);
    std::string first, last;
    if (!std::getline(file, first)) continue;  // it never started
    std::getline(file, last);
    ++begun;
    EXPECT_EQ(last, "done") << "kill " << i;
    auto program = ended.find(std::atoi(first.c_str()));
    if (program == ended.end()) continue;  // dwell had taken its status before
    EXPECT_TRUE(WIFEXITED(program->second) && WEXITSTATUS(program->second) == 7)
        << "status " << program->second << ", kill " << i;
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  std::printf("%-26s %5d kills, %3d programs went on, none hurt\n", "launch", kills_for_each_window(), begun);
}

}  // namespace
}  // namespace dwell::testing
