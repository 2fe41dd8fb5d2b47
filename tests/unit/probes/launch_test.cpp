// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/launch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "symbolizer/proc_maps.h"
#include "userspace/base/files.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

int wait_to_end(LaunchedProgram& program) {
  int status = -1;
  for (int i = 0; i < 2000 && !program.ended(&status); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return status;
}

// The process's state letter in /proc, or 0 if there is no such process.
char state_of(pid_t pid) {
  Result<std::string> stat = read_file(fmt::format("/proc/{}/stat", pid));
  std::size_t at = stat ? stat->rfind(") ") : std::string::npos;
  return at == std::string::npos ? '\0' : (*stat)[at + 2];
}

bool maps_libc(pid_t pid) {
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  return mappings && std::any_of(mappings->begin(), mappings->end(), [](const Mapping& mapping) {
           return mapping.executable && mapping.path.find("libc.so") != std::string::npos;
         });
}

class WithFolder : public testing::Test {
 protected:
  WithFolder() {
    char name[] = "/tmp/dwell-launch-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~WithFolder() override {
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(folder_.c_str());
  }
  std::string file(const std::string& name) {
    files_.push_back(folder_ + "/" + name);
    return files_.back();
  }
  std::string folder_;
  std::vector<std::string> files_;
};
using Launch = WithFolder;

TEST_F(Launch, NothingRunsBeforeItIsReleased) {
  std::string out = file("out");
  Result<LaunchedProgram> program = LaunchedProgram::start({"sh", "-c", "echo begun > " + out + "; exit 7"});
  ASSERT_TRUE(program) << program.error().what;
  EXPECT_EQ(state_of(program->pid()), 't');
  ASSERT_TRUE(program->load([] { return Result<void>(); }));
  EXPECT_EQ(state_of(program->pid()), 't');
  EXPECT_NE(access(out.c_str(), F_OK), 0);
  ASSERT_TRUE(program->release());
  int status = wait_to_end(*program);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(*read_file(out), "begun\n");
}

TEST_F(Launch, EachModuleIsSeenBeforeItsCodeRuns) {
  Result<LaunchedProgram> program = LaunchedProgram::start({"true"});
  ASSERT_TRUE(program) << program.error().what;
  int modules = 0, with_libc = 0;
  Result<void> entered = program->load([&] {
    ++modules;
    with_libc += maps_libc(program->pid());
    return Result<void>();
  });
  ASSERT_TRUE(entered) << entered.error().what;
  EXPECT_GE(modules, 2);      // what execve mapped, and libc
  EXPECT_LT(with_libc, modules);  // the first look is before libc
  EXPECT_GE(with_libc, 1);
  ASSERT_TRUE(program->release());
  EXPECT_EQ(wait_to_end(*program), 0);
}

TEST_F(Launch, AStaticProgramIsLoadedAtOnce) {
  Result<LaunchedProgram> program = LaunchedProgram::start({CALL_TARGET_STATIC});
  ASSERT_TRUE(program) << program.error().what;
  int looks = 0;
  ASSERT_TRUE(program->load([&] { return ++looks, Result<void>(); }));
  EXPECT_EQ(looks, 1);
}

TEST_F(Launch, WhatCannotStartSaysWhyAsAShellWould) {
  int code = 0;
  Result<LaunchedProgram> missing = LaunchedProgram::start({"dwell-no-such-program"}, &code);
  ASSERT_FALSE(missing);
  EXPECT_EQ(code, 127);
  EXPECT_THAT(missing.error().what, testing::HasSubstr("dwell-no-such-program: No such file"));

  std::string plain = file("plain");
  std::ofstream(plain) << "no program\n";
  Result<LaunchedProgram> refused = LaunchedProgram::start({plain}, &code);
  ASSERT_FALSE(refused);
  EXPECT_EQ(code, 126);
  EXPECT_THAT(refused.error().what, testing::HasSubstr("Permission denied"));
}

TEST_F(Launch, AProgramThatDiesInItsLoaderIsToldApart) {
  // An executable that needs a library that nobody has.
  Result<LaunchedProgram> program = LaunchedProgram::start({CALL_TARGET_BROKEN});
  ASSERT_TRUE(program) << program.error().what;
  Result<void> entered = program->load([] { return Result<void>(); });
  ASSERT_FALSE(entered);
  EXPECT_EQ(entered.error().exit, Exit::kNoTarget);
  EXPECT_THAT(entered.error().what, testing::HasSubstr("ended with status 127"));
}

TEST_F(Launch, WhoNeverReleasesLeavesNothingBehind) {
  pid_t pid = -1;
  {
    Result<LaunchedProgram> program = LaunchedProgram::start({"sleep", "1000"});
    ASSERT_TRUE(program) << program.error().what;
    pid = program->pid();
  }
  EXPECT_EQ(state_of(pid), '\0');
}

// Starts `sh` held, takes it as far as `moment` says, and dies by SIGKILL there. The PID of the program, which is
// ours from then on.
enum class Moment { kAtExec, kInLoader, kLoaded };
pid_t start_and_die(const std::string& out, Moment moment) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  pid_t tracer = fork();
  if (tracer == 0) {
    Result<LaunchedProgram> program = LaunchedProgram::start({"sh", "-c", "echo begun > " + out + "; exit 7"});
    pid_t pid = program ? program->pid() : -1;
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    int modules = 0;
    if (moment != Moment::kAtExec) (void)program->load([&] {
      if (++modules == 2 && moment == Moment::kInLoader) kill(getpid(), SIGKILL);
      return Result<void>();
    });
    kill(getpid(), SIGKILL);
  }
  pid_t pid = -1;
  if (read(ends[0], &pid, sizeof pid) != static_cast<ssize_t>(sizeof pid)) pid = -1;
  waitpid(tracer, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  return pid;
}

TEST_F(Launch, AHeldProgramRunsOnWhenItsTracerDies) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (Moment moment : {Moment::kAtExec, Moment::kInLoader, Moment::kLoaded}) {
    std::string out = file("out");
    pid_t pid = start_and_die(out, moment);
    ASSERT_GT(pid, 0);
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << "moment " << static_cast<int>(moment) << " status " << status;
    EXPECT_EQ(*read_file(out), "begun\n");
    unlink(out.c_str());
  }
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(Launch, AReleasedProgramTakesSignalsAsAnyOther) {
  Result<LaunchedProgram> program = LaunchedProgram::start({"sleep", "1000"});
  ASSERT_TRUE(program) << program.error().what;
  ASSERT_TRUE(program->load([] { return Result<void>(); }));
  ASSERT_TRUE(program->release());
  kill(program->pid(), SIGTERM);
  int status = wait_to_end(*program);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST_F(Launch, ASignalSentWhileItIsHeldArrives) {
  Result<LaunchedProgram> program = LaunchedProgram::start({"sleep", "1000"});
  ASSERT_TRUE(program) << program.error().what;
  kill(program->pid(), SIGTERM);
  Result<void> entered = program->load([] { return Result<void>(); });
  ASSERT_FALSE(entered);
  EXPECT_THAT(entered.error().what, testing::HasSubstr("killed by signal 15"));
}

// What the program's own code can see of its tracer in /proc/self/status: reading it takes system calls.
TEST_F(Launch, ItsOwnCodeIsNeverTraced) {
  std::string out = file("status");
  Result<LaunchedProgram> program = LaunchedProgram::start({"sh", "-c", "read_all() { while read -r line; do echo \"$line\"; done; }; read_all < /proc/self/status > " + out});
  ASSERT_TRUE(program) << program.error().what;
  ASSERT_TRUE(program->load([] { return Result<void>(); }));
  ASSERT_TRUE(program->release());
  EXPECT_EQ(wait_to_end(*program), 0);
  EXPECT_THAT(*read_file(out), testing::HasSubstr("TracerPid:\t0\n"));
}

// A shell that waits in its first program and then becomes one whose loader talks into a pipe that nobody reads.
class Reexec {
 public:
  Reexec() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], "full", 4) > 0) continue;
    fcntl(ends[1], F_SETFL, 0);
    read_end_.reset(ends[0]);
    std::string talk = fmt::format("LD_DEBUG=libs exec true 2>/proc/{}/fd/{}", getpid(), ends[1]);
    Result<LaunchedProgram> program = LaunchedProgram::start({"sh", "-c", talk});
    if (program && program->load([] { return Result<void>(); }) && program->release()) program_.emplace(std::move(*program));
    for (int i = 0; program_ && i < 5000 && !is_writing(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    close(ends[1]);
  }
  ~Reexec() {
    listen();
    if (reader_.joinable()) reader_.join();
  }
  Reexec(const Reexec&) = delete;
  Reexec& operator=(const Reexec&) = delete;

  LaunchedProgram& program() { return *program_; }
  void listen() {
    if (reader_.joinable()) return;
    reader_ = std::thread([this] {
      char buffer[4096];
      while (read(read_end_.get(), buffer, sizeof buffer) > 0) continue;
    });
  }

 private:
  bool is_writing() const {
    Result<std::string> call = read_file(fmt::format("/proc/{}/syscall", program_->pid()));
    Result<std::string> name = read_file(fmt::format("/proc/{}/comm", program_->pid()));
    bool in_write = call && (call->starts_with("1 ") || call->starts_with("20 "));
    return in_write && name && *name == "true\n";
  }
  std::optional<LaunchedProgram> program_;
  UniqueFd read_end_;
  std::thread reader_;
};

TEST(CatchAfterExec, AProgramThatHasJustReplacedAnotherIsHeldUntilItIsLoaded) {
  Reexec shell;
  int looks = 0, with_libc = 0;
  Result<bool> caught = shell.program().catch_after_exec([&] {
    ++looks;
    with_libc += maps_libc(shell.program().pid());
    shell.listen();
    return Result<void>();
  });
  ASSERT_TRUE(caught) << caught.error().what;
  EXPECT_TRUE(*caught);
  EXPECT_GE(looks, 2);
  EXPECT_LT(with_libc, looks);
  EXPECT_GE(with_libc, 1);
  EXPECT_EQ(wait_to_end(shell.program()), 0);
}

TEST(CatchAfterExec, AProgramThatRunsAlreadyIsLookedAtAndLeftAlone) {
  Result<LaunchedProgram> program = LaunchedProgram::start({"sleep", "1000"});
  ASSERT_TRUE(program) << program.error().what;
  ASSERT_TRUE(program->load([] { return Result<void>(); }));
  ASSERT_TRUE(program->release());
  while (state_of(program->pid()) != 'S') std::this_thread::sleep_for(std::chrono::milliseconds(1));
  int looks = 0;
  Result<bool> caught = program->catch_after_exec([&] { return ++looks, Result<void>(); });
  ASSERT_TRUE(caught) << caught.error().what;
  EXPECT_FALSE(*caught);
  EXPECT_EQ(looks, 1);
  for (int i = 0; i < 1000 && state_of(program->pid()) != 'S'; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(state_of(program->pid()), 'S');
  kill(program->pid(), SIGTERM);
  int status = wait_to_end(*program);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(CatchAfterExec, WhatEndsMeanwhileIsLeftForItsParentToFind) {
  Result<LaunchedProgram> program = LaunchedProgram::start({"true"});
  ASSERT_TRUE(program) << program.error().what;
  ASSERT_TRUE(program->load([] { return Result<void>(); }));
  ASSERT_TRUE(program->release());
  while (state_of(program->pid()) != 'Z') std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(program->catch_after_exec([] { return Result<void>(); }));
  int status = -1;
  EXPECT_TRUE(program->ended(&status));
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace dwell
