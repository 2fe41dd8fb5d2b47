// SPDX-License-Identifier: Apache-2.0
// What one look tells of threads that don't hold locks: their state, what they wait for, since when, their
// stacks.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "tests/targets/stuck_threads.h"
#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

TEST(Look, TellsInWordsWhatEachThreadWaitsFor) {
  DWELL_NEEDS_BPF();
  StuckThreads target("waits");
  int port = 0, pipe = 0, event = 0;
  char file[64] = {};
  ASSERT_EQ(
      std::sscanf(target.output().c_str(), "port %d pipe %d event %d file %63s", &port, &pipe, &event, file),
      4);
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, 0);
  ::unlink(file);
  auto expect = [&](const std::string& name, const std::string& function, const std::string& wait, bool timed,
                    const std::string& words) {
    std::vector<nlohmann::json> threads = threads_named(look.report, name);
    ASSERT_EQ(threads.size(), 1u) << name;
    EXPECT_EQ(threads[0]["state"], "sleeping") << name;
    EXPECT_EQ(threads[0]["wait"], wait) << name;
    EXPECT_EQ(threads[0]["timed"], timed) << name;
    EXPECT_NE(threads[0]["waits_for"].get<std::string>().find(words), std::string::npos)
        << threads[0]["waits_for"];
    EXPECT_TRUE(stands_in(look.report, threads[0], function)) << name;
    EXPECT_EQ(functions_of(look.report, threads[0]).back(), "clone3") << name;
  };
  expect("in_read", "wait_in_read", "input", false, fmt::format("read of pipe {}", pipe));
  expect("in_poll", "wait_in_poll", "poll", true,
         fmt::format("poll of eventfd {}, at most 41 min 40 s", event));
  expect("in_epoll", "wait_in_epoll", "poll", false, fmt::format("of eventfd {}", event));
  expect("in_select", "wait_in_select", "poll", false, fmt::format("select of pipe {}", pipe));
  expect("in_sleep", "wait_in_sleep", "sleep", true, "sleep of 50 min 0 s");
  expect("in_accept", "wait_in_accept", "connection", false, fmt::format("listening at 127.0.0.1:{}", port));
  expect("in_recv", "wait_in_recv", "input", false, fmt::format("to 127.0.0.1:{}", port));
  expect("in_flock", "wait_in_flock", "file lock", false, file);
  expect("in_flock", "wait_in_flock", "file lock", false, fmt::format(", taken by this process itself"));
  expect("in_read", "wait_in_read", "input", false, fmt::format("read of pipe {}, written by this process itself", pipe));
  expect("in_recv", "wait_in_recv", "input", false, ", whose other side is this process itself");
  expect("in_wait", "wait_for_child", "child", false, "the end of child ");
  expect("in_pause", "wait_for_signal", "signal", false, "any signal");
}

TEST(Look, TellsRareWaitsInWordsToo) {
  DWELL_NEEDS_BPF();
  StuckThreads target("waits", "stuck_in_kernel");
  int pages = 0, rings = 0, ipc = 0;
  ASSERT_EQ(std::sscanf(target.output().c_str(), "userfaultfd %d io_uring %d ipc %d", &pages, &rings, &ipc),
            3);
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, 0);
  auto expect = [&](const std::string& name, const std::string& function, const std::string& wait, bool timed,
                    const std::string& words) {
    std::vector<nlohmann::json> threads = threads_named(look.report, name);
    ASSERT_EQ(threads.size(), 1u) << name;
    EXPECT_EQ(threads[0]["state"], "sleeping") << name;
    EXPECT_EQ(threads[0]["wait"], wait) << name;
    EXPECT_EQ(threads[0]["timed"], timed) << name;
    EXPECT_THAT(threads[0]["waits_for"].get<std::string>(), ::testing::HasSubstr(words));
    EXPECT_TRUE(stands_in(look.report, threads[0], function)) << name;
  };
  if (pages) expect("in_page_fault", "wait_for_page", "page fault", false, "a page of its memory");
  if (rings) expect("in_io_uring", "wait_for_completion", "io ring", false, "completions of io_uring ");
  if (ipc) {
    expect("in_semop", "wait_for_semaphore", "semaphore", false, "System V semaphores");
    expect("in_semtimedop", "wait_for_semaphore_a_time", "semaphore", true, "System V semaphores");
    expect("in_msgrcv", "wait_for_message", "message", false, "a message of a System V queue");
    expect("in_mq_receive", "wait_for_posix_message", "message", false, "a message of file ");
    expect("in_mq_receive", "wait_for_posix_message", "message", false, ", which is open in this process itself");
  }
  EXPECT_TRUE(pages && rings && ipc) << target.output() << "not all of it could be tried here";
  // vfork keeps its return address in a register, which its child has used since.
  std::vector<nlohmann::json> forking = threads_named(look.report, "in_vfork");
  ASSERT_EQ(forking.size(), 1u);
  EXPECT_EQ(forking[0]["state"], "uninterruptible");
  EXPECT_EQ(forking[0]["wait"], "child");
  const nlohmann::json& group = look.report["groups"][forking[0]["group"].get<std::size_t>()];
  EXPECT_EQ(group["stack"]["frames"][0]["function"], "vfork");
  EXPECT_FALSE(group["kernel_stack"].is_null());
}

TEST(Look, MergesThreadsThatStandAtTheSamePlace) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  LookedAt look = look_at(target.pid());
  std::vector<nlohmann::json> workers = threads_named(look.report, "worker");
  ASSERT_EQ(workers.size(), std::size_t{IDLE_WORKERS});
  const nlohmann::json& group = look.report["groups"][workers[0]["group"].get<std::size_t>()];
  EXPECT_EQ(group["threads"].size(), std::size_t{IDLE_WORKERS});
  EXPECT_TRUE(stands_in(look.report, workers[0], "idle_worker"));
}

// The thread was stuck before anybody looked, and it is known since when.
TEST(Look, KnowsSinceWhenAThreadWaitsThatWaitedBefore) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  nlohmann::json first = threads_named(look_at(target.pid()).report, "worker")[0];
  ASSERT_TRUE(eventually([&] {
    nlohmann::json later = threads_named(look_at(target.pid()).report, "worker")[0];
    return later["waiting_ns"].get<double>() > first["waiting_ns"].get<double>() + 5e8;
  }));
  EXPECT_GT(first["waiting_ns"], 0);
  EXPECT_LT(first["waiting_ns"].get<double>(), 60e9);
  EXPECT_EQ(threads_named(look_at(target.pid()).report, "worker")[0]["voluntary_switches"],
            first["voluntary_switches"]);
}

TEST(Look, ARunningThreadIsToldAsRunning) {
  DWELL_NEEDS_BPF();
  StuckThreads target("running");
  LookedAt look = look_at(target.pid());
  std::vector<nlohmann::json> spinner = threads_named(look.report, "spinner");
  ASSERT_EQ(spinner.size(), 1u);
  EXPECT_TRUE(spinner[0]["state"] == "running" || spinner[0]["state"] == "ready") << spinner[0];
  EXPECT_EQ(spinner[0]["wait"], "none");
  EXPECT_GE(spinner[0]["busy_over_ns"], 20'000'000) << "it never sleeps";
  EXPECT_TRUE(spinner[0]["waiting_ns"].is_null());
}

nlohmann::json spinning_verdicts(const nlohmann::json& report) {
  nlohmann::json found = nlohmann::json::array();
  for (const nlohmann::json& verdict : report["verdicts"])
    if (verdict["kind"] == "spinning") found.push_back(verdict);
  return found;
}

// On a busy machine a thread may get too little of a CPU to be judged in one look.
TEST(Look, ThreadsThatSpinAreToldWithWhatTheyWaitFor) {
  DWELL_NEEDS_BPF();
  StuckThreads target("spin", "spinning");
  std::set<std::string> headlines;
  auto told = [&](const std::string& words) {
    return std::ranges::any_of(headlines, [&](const std::string& headline) { return headline.find(words) != std::string::npos; });
  };
  EXPECT_TRUE(eventually([&] {
    LookedAt look = look_at(target.pid());
    EXPECT_EQ(look.exit, 0) << "it may go on";
    for (const nlohmann::json& verdict : spinning_verdicts(look.report)) {
      headlines.insert(verdict["headline"]);
      EXPECT_EQ(verdict["certainty"], "likely");
    }
    return told("it reads lock, which does not change") && told("reads ready, which does not change");
  }, std::chrono::seconds(120))) << ::testing::PrintToString(headlines);
}

TEST(Look, ThreadsThatWorkWithoutSleepingDoNotSpin) {
  DWELL_NEEDS_BPF();
  StuckThreads target("busy", "spinning");
  for (int i = 0; i < 8; ++i) EXPECT_EQ(spinning_verdicts(look_at(target.pid()).report).size(), 0u);
}

void keep_on(pid_t thread, int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  ::sched_setaffinity(thread, sizeof cpus, &cpus);
  if (thread) ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), -15);
}

// Its registers are in its CPU: a clock's interrupt tells where it is.
void expect_running_in(const std::string& scenario, const std::string& function) {
  StuckThreads target(scenario);
  LookedAt look;
  std::vector<nlohmann::json> spinner;
  ASSERT_TRUE(eventually([&] {
    look = look_at(target.pid());
    spinner = threads_named(look.report, "spinner");
    if (spinner.empty()) return false;
    keep_on(spinner[0]["tid"], 1);
    const nlohmann::json& group = look.report["groups"][spinner[0]["group"].get<std::size_t>()];
    return spinner[0]["state"] == "running" && !group["stack"]["frames"].empty();
  })) << scenario;
  EXPECT_TRUE(stands_in(look.report, spinner[0], function));
  EXPECT_EQ(functions_of(look.report, spinner[0]).back(), "clone3");
}

TEST(Look, ARunningThreadHasAStackToo) {
  DWELL_NEEDS_BPF();
  cpu_set_t cpus;
  ASSERT_EQ(::sched_getaffinity(0, sizeof cpus, &cpus), 0);
  if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus)) GTEST_SKIP() << "needs two CPUs";
  keep_on(0, 0);  // dwell, while the other thread has the other CPU
  expect_running_in("running", "spin");
  expect_running_in("running_in_kernel", "read_zeros");
  ::sched_setaffinity(0, sizeof cpus, &cpus);
}

TEST(Look, KeptAsARecordingItReadsTheSame) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  TemporaryFolder folder;
  std::string file = folder.file("look.dwell");
  LookedAt look = look_at(target.pid(), {"-o", file});
  nlohmann::json again = report(file);
  EXPECT_EQ(again, look.report);
  Finished folded = run({dwell_binary(), "export", file, "-f", "folded", "--sample-type", "threads"});
  EXPECT_EQ(folded.exit, 0) << folded.errors;
  EXPECT_THAT(folded.output, ::testing::ContainsRegex(fmt::format("idle_worker;[^\n]* {}\n", IDLE_WORKERS)));
  EXPECT_EQ(run({dwell_binary(), "export", file, "--view", "threads:look", "-o", folder.file("look.pb.gz")}).exit,
            0);
}

TEST(Look, ErrorsSayWhatToDo) {
  DWELL_NEEDS_BPF();
  Finished none = run({dwell_binary(), "threads", "-p", "999999999"});
  EXPECT_EQ(none.exit, 3);
  EXPECT_NE(none.errors.find("no such process"), std::string::npos) << none.errors;
  EXPECT_EQ(run({dwell_binary(), "threads"}).exit, 2);
  StuckThreads target("idle_pool");
  Finished nobody = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", dwell_binary(),
                         "threads", "-p", std::to_string(target.pid())});
  EXPECT_EQ(nobody.exit, 4) << nobody.errors;
  EXPECT_THAT(nobody.errors, ::testing::HasSubstr("hint: run as root, or grant CAP_BPF")) << nobody.errors;
  std::string thread =
      std::to_string(threads_named(look_at(target.pid()).report, "worker")[0]["tid"].get<int>());
  Finished a_thread = run({dwell_binary(), "threads", "-p", thread});
  EXPECT_EQ(a_thread.exit, 2);
  EXPECT_THAT(a_thread.errors, ::testing::HasSubstr(fmt::format("-p {}", target.pid())));
  Finished kernel = run({dwell_binary(), "threads", "-p", "2"});
  EXPECT_EQ(kernel.exit, 5) << kernel.errors;
}

TEST(Look, OfAThreadThatADebuggerHoldsTellsWhose) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, target.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(::waitpid(target.pid(), nullptr, __WALL), target.pid());
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(::ptrace(PTRACE_DETACH, target.pid(), nullptr, nullptr), 0);
  std::string words;
  for (const nlohmann::json& thread : look.report["threads"])
    if (thread["tid"] == target.pid()) words = thread["waits_for"].is_null() ? "" : thread["waits_for"];
  EXPECT_NE(words.find(fmt::format("({}), which traces it", ::getpid())), std::string::npos) << words;
}

// A control group of version 2 for one process, where such groups can be made here.
class ControlGroup {
 public:
  ControlGroup() {
    for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      std::string path = fmt::format("{}/dwell-test-{}", root, ::getpid());
      if (::access((std::string(root) + "/cgroup.controllers").c_str(), F_OK) || ::mkdir(path.c_str(), 0755)) continue;
      path_ = path;
      return;
    }
  }
  ~ControlGroup() {
    if (!path_.empty()) eventually([&] { return ::rmdir(path_.c_str()) == 0; });
  }
  bool usable() const { return ::access((path_ + "/cgroup.freeze").c_str(), W_OK) == 0; }
  void write(const char* file, const std::string& text) const { std::ofstream(path_ + "/" + file) << text; }
  std::string read(const char* file) const {
    std::ifstream in(path_ + "/" + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string path_;
};

TEST(Look, NamesTheControlGroupThatIsFrozen) {
  DWELL_NEEDS_BPF();
  ControlGroup group;
  if (!group.usable()) GTEST_SKIP() << "no control group can be made here";
  Program program({"cat"});
  group.write("cgroup.procs", std::to_string(program.pid()));
  group.write("cgroup.freeze", "1");
  ASSERT_TRUE(eventually([&] { return group.read("cgroup.events").find("frozen 1") != std::string::npos; }));
  LookedAt look = look_at(program.pid());
  group.write("cgroup.freeze", "0");
  EXPECT_EQ(look.report["threads"][0]["state"], "stopped");
  EXPECT_THAT(look.report["threads"][0]["waits_for"].get<std::string>(),
              ::testing::HasSubstr(fmt::format("its control group /dwell-test-{} to be thawed", ::getpid())));
}

}  // namespace
}  // namespace dwell::testing
