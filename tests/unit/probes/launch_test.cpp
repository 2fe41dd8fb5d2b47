// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/launch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
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
  ASSERT_TRUE(program->run_to_entry([] { return Result<void>(); }));
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
  Result<void> entered = program->run_to_entry([&] {
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

TEST_F(Launch, AStaticProgramStandsAtItsEntry) {
  Result<LaunchedProgram> program = LaunchedProgram::start({CALL_TARGET_STATIC});
  ASSERT_TRUE(program) << program.error().what;
  int looks = 0;
  ASSERT_TRUE(program->run_to_entry([&] { return ++looks, Result<void>(); }));
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
  Result<void> entered = program->run_to_entry([] { return Result<void>(); });
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

TEST_F(Launch, TheProgramDiesWithItsTracerWhileItIsHeld) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t tracer = fork();
  if (tracer == 0) {
    Result<LaunchedProgram> program = LaunchedProgram::start({"sleep", "1000"});
    pid_t pid = program ? program->pid() : -1;
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    kill(getpid(), SIGKILL);
  }
  pid_t pid = -1;
  ASSERT_EQ(read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  waitpid(tracer, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  ASSERT_GT(pid, 0);
  // Its new parent reaps it in its own time; what counts is that it does not run or stand stopped.
  char state = 't';
  for (int i = 0; i < 1000 && state != '\0' && state != 'Z'; ++i) {
    state = state_of(pid);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_THAT(state, testing::AnyOf('\0', 'Z'));
}

TEST_F(Launch, AReleasedProgramTakesSignalsAsAnyOther) {
  Result<LaunchedProgram> program = LaunchedProgram::start({"sleep", "1000"});
  ASSERT_TRUE(program) << program.error().what;
  ASSERT_TRUE(program->run_to_entry([] { return Result<void>(); }));
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
  Result<void> entered = program->run_to_entry([] { return Result<void>(); });
  ASSERT_FALSE(entered);
  EXPECT_THAT(entered.error().what, testing::HasSubstr("killed by signal 15"));
}

}  // namespace
}  // namespace dwell
