// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/process.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "userspace/base/living_thread.h"

namespace dwell {
namespace {

TEST(Process, AContainerIsKnownByTheIdInItsCgroup) {
  const std::string id(64, 'a');
  EXPECT_EQ(container_in_cgroup("0::/system.slice/docker-" + id + ".scope\n"), id);
  EXPECT_EQ(container_in_cgroup("1:cpu:/kubepods/pod12/" + id), id);
  EXPECT_EQ(container_in_cgroup("0::/user.slice/user-1000.slice\n"), "");
  EXPECT_EQ(container_in_cgroup("0::/" + std::string(63, 'b')), "");
}

TEST(Process, WeKnowOurselves) {
  Result<ProcessFacts> facts = read_process(::getpid());
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_NE(facts->command_line.find("record_test"), std::string::npos);
  EXPECT_EQ(facts->namespace_pids.front(), ::getpid());
  EXPECT_TRUE(process_cpu_ns(::getpid()));
}

TEST(Process, WhoIsGoneIsNamedAndSoIsWhatToDo) {
  Result<ProcessFacts> facts = read_process(0x7ffffff0);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().exit, Exit::kNoTarget);
  EXPECT_NE(facts.error().what.find("no such process"), std::string::npos);
  EXPECT_FALSE(facts.error().hint.empty());
  EXPECT_FALSE(process_cpu_ns(0x7ffffff0));
}

TEST(Process, AThreadIsNotAProcess) {
  Error error;
  std::thread([&] { error = read_process(::gettid()).error(); }).join();
  EXPECT_EQ(error.exit, Exit::kUsage);
  EXPECT_NE(error.hint.find(std::to_string(::getpid())), std::string::npos) << error.hint;
}

// It is no kernel thread, though it has no program, nor has it ended.
TEST(Process, OneWhoseMainThreadHasEndedIsSeenThroughAnother) {
  pid_t child = ::fork();
  if (child == 0) {
    pthread_t other;
    ::pthread_create(&other, nullptr, [](void*) -> void* { return ::pause(), nullptr; }, nullptr);
    ::syscall(SYS_exit, 0);
  }
  Result<ProcessFacts> facts = read_process(child);
  while (facts && !facts->main_thread_ended) facts = read_process(child);
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->pid, child);
  EXPECT_FALSE(facts->command_line.empty());
  EXPECT_NE(living_thread(child), child);
  EXPECT_EQ(living_thread(::getpid()), ::getpid());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(Process, AKernelThreadIsRefused) {
  Result<ProcessFacts> facts = read_process(2);
  if (facts) GTEST_SKIP() << "PID 2 is no kernel thread here: a PID namespace";
  EXPECT_TRUE(facts.error().exit == Exit::kUnsupported || facts.error().exit == Exit::kNoTarget);
}

}  // namespace
}  // namespace dwell
