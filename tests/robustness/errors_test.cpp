// SPDX-License-Identifier: Apache-2.0
// What a user reads when it can't be done: message, hint, exit code. Never a crash, never silence.
#include <filesystem>
#include <fstream>

#include "tests/end_to_end/harness.h"
#include "userspace/base/result.h"

namespace dwell::testing {
namespace {

void expect_error(const Finished& finished, Exit exit, const std::string& says, const std::string& hints = "") {
  EXPECT_EQ(finished.exit, static_cast<int>(exit)) << finished.errors;
  EXPECT_NE(finished.errors.find("dwell: "), std::string::npos) << finished.errors;
  EXPECT_NE(finished.errors.find(says), std::string::npos) << finished.errors;
  if (!hints.empty()) {
    EXPECT_NE(finished.errors.find("hint: "), std::string::npos) << finished.errors;
    EXPECT_NE(finished.errors.find(hints), std::string::npos) << finished.errors;
  }
}

Finished record(pid_t pid, const std::vector<std::string>& options = {}) {
  std::vector<std::string> command{dwell_binary(), "record", "-p", std::to_string(pid), "-d", "100ms"};
  command.insert(command.end(), options.begin(), options.end());
  return run(command);
}

// Runs a shell script in mount namespaces of its own: what it mounts goes away with it.
Finished in_own_mounts(const std::string& script) {
  return run({"unshare", "-m", "--propagation", "private", "sh", "-c", script});
}

class Errors : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) { std::ofstream(folder_.file(name)) << content; }
  TemporaryFolder folder_;
};

TEST_F(Errors, NoSuchProcess) {
  expect_error(record(0x7ffffff0), Exit::kNoTarget, "no such process", "ps -eo pid");
}

TEST_F(Errors, AProcessThatEndsDuringTheAttachIsNamedAndLeavesNoFile) {
  DWELL_NEEDS_BPF();
  // Lives for different spans, so that it ends at different steps of the attach.
  for (const char* life : {"0.02", "0.05", "0.1", "0.2", "0.3"}) {
    Program brief({"sleep", life});
    std::string path = folder_.file("brief.dwell");
    Finished dwell = run({dwell_binary(), "record", "-p", std::to_string(brief.pid()), "-d", "5s", "-q", "-o", path});
    if (dwell.exit == 0) continue;  // it lived long enough to be recorded to its end
    expect_error(dwell, Exit::kNoTarget, std::to_string(brief.pid()));
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

TEST_F(Errors, WithoutPrivilegesItSaysWhichAreMissing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  Program target({"sleep", "60"});
  Finished dwell = run({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", dwell_binary(), "record",
                        "-p", std::to_string(target.pid()), "-o", "/tmp/never.dwell"});
  expect_error(dwell, Exit::kNotPermitted, "Operation not permitted", "CAP_BPF");
}

TEST_F(Errors, WithoutTheKernelsTypesItSaysSo) {
  DWELL_NEEDS_BPF();
  Program target({"sleep", "60"});
  Finished dwell = in_own_mounts("mount --bind /dev/null /sys/kernel/btf/vmlinux && exec " + dwell_binary() +
                                 " record -d 1s -o " + folder_.file("x.dwell") + " -p " + std::to_string(target.pid()));
  EXPECT_NE(dwell.exit, 0);
  EXPECT_NE(dwell.errors.find("BTF"), std::string::npos) << dwell.errors;
  EXPECT_NE(dwell.errors.find("hint: "), std::string::npos) << dwell.errors;
}

TEST_F(Errors, AnOldKernelIsRefusedByItsVersionBeforeAnythingIsStarted) {
  Program target({"sleep", "60"});
  std::string pid = std::to_string(target.pid()), started = folder_.file("started");
  for (std::vector<std::string> command : {std::vector<std::string>{"record", "-p", pid}, {"threads", "-p", pid},
                                           {"clocks", "-p", pid}, {"record", "--", "touch", started}}) {
    command.insert(command.begin(), {"setarch", "x86_64", "--uname-2.6", dwell_binary()});
    expect_error(run(command), Exit::kUnsupported, "Linux 2.6.", "Debian 12");
  }
  EXPECT_FALSE(std::filesystem::exists(started));
}

TEST_F(Errors, AProcessWithoutAnAllocatorIsRefused) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("pause64")});
  expect_error(record(target.pid(), {"-o", folder_.file("x.dwell")}), Exit::kUnsupported, "no module of it defines malloc", "cannot be traced");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("x.dwell")));
}

TEST_F(Errors, A32BitProcessIsRefused) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("pause32")});
  if (!eventually([&] { return !target.running() || run({"pgrep", "-x", "pause32"}).exit == 0; }) || !target.running())
    GTEST_SKIP() << "this kernel runs no 32-bit programs";
  expect_error(record(target.pid(), {"-o", folder_.file("x.dwell")}), Exit::kUnsupported, "not a 64-bit", "only 64-bit");
}

// Its system calls have other numbers: what threads wait for would be told wrongly.
TEST_F(Errors, A32BitProcessIsRefusedByEveryCommandAlike) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("pause32")});
  if (!eventually([&] { return !target.running() || run({"pgrep", "-x", "pause32"}).exit == 0; }) || !target.running())
    GTEST_SKIP() << "this kernel runs no 32-bit programs";
  std::string pid = std::to_string(target.pid()), output = folder_.file("x.dwell");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"threads", "-p", pid}, {"clocks", "-p", pid}, {"record", "-p", pid, "-o", output},
        {"record", "-o", output, "--", target_binary("pause32")}}) {
    std::vector<std::string> whole = {dwell_binary()};
    whole.insert(whole.end(), command.begin(), command.end());
    expect_error(run(whole), Exit::kUnsupported, "not a 64-bit", "only 64-bit");
    EXPECT_FALSE(std::filesystem::exists(output)) << command[0];
  }
}

TEST_F(Errors, AGoProgramWithoutACAllocatorIsRefusedIfItsOwnMemoryIsNotWanted) {
  DWELL_NEEDS_BPF();
  if (run({"sh", "-c", "command -v go"}).exit != 0) GTEST_SKIP() << "go is not installed";
  write("main.go", "package main\nimport \"time\"\nfunc main() { time.Sleep(time.Minute) }\n");
  Finished built = run({"sh", "-c", "cd " + folder_.path() + " && HOME=" + folder_.path() +
                                        " GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=0 go build -o sleeper main.go"});
  ASSERT_EQ(built.exit, 0) << built.errors;
  Program target({folder_.file("sleeper")});
  expect_error(record(target.pid(), {"--without", "go", "-o", folder_.file("x.dwell")}), Exit::kUnsupported, "Go");
}

TEST_F(Errors, AFullDiskEndsTheRecordingAndWhatWasWrittenIsReadable) {
  DWELL_NEEDS_BPF();
  Program service({target_binary("leaking_service")});
  // A small file system of its own, almost full, from which the recording is copied out before it goes.
  std::string mount = folder_.file("small");
  std::filesystem::create_directory(mount);
  Finished dwell = in_own_mounts("mount -t tmpfs -o size=64k none " + mount + " && head -c 61440 /dev/zero > " + mount +
                                 "/filler; " + dwell_binary() + " record -d 30s -q -o " + mount + "/full.dwell -p " +
                                 std::to_string(service.pid()) + "; code=$?; cp " + mount + "/full.dwell " +
                                 folder_.file("rescued.dwell") + "; exit $code");
  expect_error(dwell, Exit::kOutput, "No space left on device", "free some space");
  EXPECT_TRUE(service.running());
  Finished report = run({dwell_binary(), "report", folder_.file("rescued.dwell")});
  EXPECT_EQ(report.exit, 0) << report.errors;
}

TEST_F(Errors, AnOutputThatCantBeWrittenIsToldBeforeAnythingIsAttached) {
  DWELL_NEEDS_BPF();
  Program target({"sleep", "60"});
  expect_error(record(target.pid(), {"-o", "/nowhere/at/all.dwell"}), Exit::kOutput, "/nowhere/at/all.dwell");
}

TEST_F(Errors, AForeignFileIsNoRecording) {
  write("foreign", "This is a text.\n");
  expect_error(run({dwell_binary(), "report", folder_.file("foreign")}), Exit::kBadInput, "foreign");
  write("empty", "");
  expect_error(run({dwell_binary(), "report", folder_.file("empty")}), Exit::kBadInput, "empty");
  expect_error(run({dwell_binary(), "report", folder_.path()}), Exit::kBadInput, folder_.path());
  Finished missing = run({dwell_binary(), "report", folder_.file("missing")});
  EXPECT_NE(missing.exit, 0);
  EXPECT_NE(missing.errors.find("No such file"), std::string::npos) << missing.errors;
}

TEST_F(Errors, AMistakeOnTheCommandLineSaysWhatWouldBeRight) {
  struct Mistake {
    std::vector<std::string> arguments;
    std::string answer;
  };
  for (const Mistake& mistake : {Mistake{{"record"}, "Give PIDs"},
                                 Mistake{{"record", "-p", "1", "--sample-bytes", "many"}, "512K"},
                                 Mistake{{"record", "-p", "1", "--exact", "--max-overhead", "2"}, "--exact records every allocation"},
                                 Mistake{{"recrod", "1"}, "did you mean record?"},
                                 Mistake{{"record", "1", "--follow-fork=yes"}, "did you mean --follow-forks?"},
                                 Mistake{{"report"}, "FILE is required"},
                                 Mistake{{"report", "x.dwell", "--sites=-1"}, "'-1' is not a number"},
                                 Mistake{{"report", "x.dwell", "--view", "retaned"}, "did you mean memory:retained?"},
                                 Mistake{{"record", "1", "--", "true"}, "one of them"},
                                 Mistake{{"record", "1", "--without", "go", "--go-blocked"}, "contradict each other"},
                                 Mistake{{"record", "1", "--only", "treads"}, "did you mean threads?"},
                                 Mistake{{"record", "--children"}, "Give PIDs"},
                                 Mistake{{"threads", "1", "2", "-o", "x.dwell"}, "-o takes one process"},
                                 Mistake{{"report", "x.dwell", "--", "true"}, "only 'dwell record' starts a command"}}) {
    std::vector<std::string> command = {dwell_binary()};
    command.insert(command.end(), mistake.arguments.begin(), mistake.arguments.end());
    Finished told = run(command);
    EXPECT_EQ(told.exit, static_cast<int>(Exit::kUsage)) << told.errors;
    EXPECT_TRUE(told.errors.starts_with("dwell: ")) << told.errors;
    EXPECT_NE(told.errors.find(mistake.answer), std::string::npos) << told.errors;
  }
  EXPECT_EQ(run({dwell_binary(), "--help"}).exit, 0);
  EXPECT_EQ(run({dwell_binary(), "--version"}).exit, 0);
  EXPECT_EQ(run({dwell_binary(), "export", "--view"}).exit, 0) << "lists the views";
}

TEST_F(Errors, ANameThatNoProcessHasIsToldBeforeAnythingIsAttached) {
  expect_error(run({dwell_binary(), "record", "no-such-name"}), Exit::kNoTarget, "'no-such-name'");
  expect_error(run({dwell_binary(), "threads", "no-such-name"}), Exit::kNoTarget, "'no-such-name'");
}

TEST_F(Errors, StandardOutputIsThatOfTheProgramThatWasStarted) {
  DWELL_NEEDS_BPF();
  Finished told = run({dwell_binary(), "record", "-o", folder_.file("echo.dwell"), "--", "/bin/echo", "hello"});
  EXPECT_EQ(told.exit, 0) << told.errors;
  EXPECT_EQ(told.output, "hello\n");
  EXPECT_NE(told.errors.find("Saved " + folder_.file("echo.dwell")), std::string::npos) << told.errors;
}

TEST_F(Errors, ACommandThatCantBeStartedEndsLikeAShell) {
  DWELL_NEEDS_BPF();
  Finished missing = run({dwell_binary(), "record", "-o", folder_.file("x.dwell"), "--", "/no/such/program"});
  EXPECT_EQ(missing.exit, 127) << missing.errors;
  write("text", "not a program");
  Finished text = run({dwell_binary(), "record", "-o", folder_.file("x.dwell"), "--", folder_.file("text")});
  EXPECT_EQ(text.exit, 126) << text.errors;
}

}  // namespace
}  // namespace dwell::testing
