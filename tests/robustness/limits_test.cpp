// SPDX-License-Identifier: Apache-2.0
// How much memory dwell takes, and what files it opens: of recordings that are large, hostile, or no files at all.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/bench/many_stacks.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/files.h"
#include "userspace/base/memory_limit.h"
#include "userspace/recording/bytes.h"
#include "userspace/recording/chunks.h"

namespace dwell::testing {
namespace {

namespace fs = std::filesystem;

struct Measured {
  int exit = -1;  // 128 + the signal
  std::uint64_t peak_mb = 0;
  std::string errors;
};

// Standard output goes nowhere. `timeout` ends what hangs: exit code 124.
Measured measure(std::vector<std::string> command, const std::string& errors_to) {
  command.insert(command.begin(), {"timeout", "-s", "KILL", "300"});
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::dup2(::open(errors_to.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  Measured result;
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.peak_mb = static_cast<std::uint64_t>(usage.ru_maxrss) >> 10;
  result.errors = *read_file(errors_to);
  return result;
}

class Limits : public ::testing::Test {
 protected:
  Measured dwell(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), dwell_binary());
    return measure(std::move(arguments), folder_.file("errors"));
  }

  // Modules without a name: 4 bytes each before they are packed, and more than 100 in memory.
  std::string fat_recording(std::size_t parts, std::size_t padding_mb) {
    constexpr std::size_t kBytes = std::size_t{60} << 20;
    std::string path = folder_.file("fat.dwell");
    std::ofstream file(path, std::ios::binary);
    std::uint32_t sequence = 0;
    auto chunk = [&](std::uint32_t type, const std::string& content) { file << make_chunk(type, sequence++, content); };
    file << file_header();
    chunk(kChunkInfo, encode_info({}));
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < padding_mb << 17; i += 1 << 17) {
      std::string noise;
      for (std::size_t word = 0; word < 1 << 17; ++word) {
        std::uint64_t bits = random();
        noise.append(reinterpret_cast<const char*>(&bits), sizeof bits);
      }
      chunk(chunk_type("ZZZZ"), noise);
    }
    for (std::size_t part = 0, told = 0; part < parts; ++part, told += kBytes / 4) {
      std::string modules;
      put_uleb(modules, told);
      put_uleb(modules, kBytes / 4);
      modules.resize(modules.size() + kBytes, '\0');
      chunk(kChunkModules, modules);
    }
    return path;
  }

  TemporaryFolder folder_;
};

TEST_F(Limits, AReportOfAsManyStacksAsARecordingHoldsTakesLessThanAGigabyte) {
  std::string path = folder_.file("many.dwell");
  Result<void> written = write_many_stacks(path, kMaxStacks - 1);
  ASSERT_TRUE(written) << written.error().what;
  Measured report = dwell({"report", path});
  EXPECT_EQ(report.exit, 0) << report.errors;
  EXPECT_LT(report.peak_mb, 1000u);
}

TEST_F(Limits, TwoKilobytesDontTakeGigabytes) {
  std::string path = fat_recording(1, 0);
  EXPECT_LT(fs::file_size(path), 10000u);
  for (const char* command : {"report", "symbolize"}) {
    Measured refused = dwell({command, path});
    EXPECT_EQ(refused.exit, static_cast<int>(Exit::kBadInput)) << refused.errors;
    EXPECT_NE(refused.errors.find("more memory than a recording of this size should"), std::string::npos) << refused.errors;
    EXPECT_LT(refused.peak_mb, 400u);
  }
}

TEST_F(Limits, NeitherDoFiveMegabytes) {
  Measured refused = dwell({"report", "--max-memory", "600M", fat_recording(5, 5)});
  EXPECT_EQ(refused.exit, static_cast<int>(Exit::kBadInput)) << refused.errors;
  EXPECT_LT(refused.peak_mb, 700u);
}

TEST_F(Limits, WhatTakesMoreThanItMayIsAMessageAndAnExitCode) {
  std::string path = folder_.file("many.dwell");
  ASSERT_TRUE(write_many_stacks(path, 400'000));
  for (std::vector<std::string> command : {std::vector<std::string>{"report", path},
                                           {"export", "-f", "svg", path},
                                           {"export", "-f", "pprof", "-o", folder_.file("out.pb.gz"), path},
                                           {"diff", path, path}}) {
    command.insert(command.begin() + 1, {"--max-memory", "256M"});
    Measured ended = dwell(command);
    EXPECT_TRUE(ended.exit == 0 || ended.exit == static_cast<int>(kExitNoMemory) || ended.exit == static_cast<int>(Exit::kBadInput))
        << command[0] << " " << ended.exit << ended.errors;
    EXPECT_LT(ended.peak_mb, 400u) << command[0];
    EXPECT_TRUE(ended.exit == 0 || ended.errors.find("--max-memory") != std::string::npos) << ended.errors;
  }
  EXPECT_EQ(dwell({"export", "--max-memory", "256M", "-f", "svg", path}).exit, static_cast<int>(kExitNoMemory));
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path()))
    EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << "no half of a file stays";
}

TEST_F(Limits, NoCommandWaitsForAPipeOrReadsADevice) {
  std::string pipe = folder_.file("pipe.dwell"), good = folder_.file("good.dwell");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_TRUE(write_many_stacks(good, 100));
  for (const std::string& path : {pipe, std::string("/dev/zero"), folder_.path()}) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{"report", path},
                                                    {"export", "-f", "svg", path},
                                                    {"diff", path, good},
                                                    {"diff", good, path},
                                                    {"symbolize", path}}) {
      Measured refused = dwell(command);
      EXPECT_EQ(refused.exit, static_cast<int>(Exit::kBadInput)) << command[0] << " " << path << ": " << refused.errors;
      EXPECT_NE(refused.errors.find("not a regular file"), std::string::npos) << refused.errors;
    }
  }
  for (const std::vector<std::string>& command : {std::vector<std::string>{"export", good, "-f", "svg", "-o", pipe},
                                                  {"diff", good, good, "-f", "json", "-o", pipe},
                                                  {"symbolize", good, "-o", pipe}}) {
    Measured refused = dwell(command);
    EXPECT_EQ(refused.exit, static_cast<int>(Exit::kOutput)) << command[0] << ": " << refused.errors;
    EXPECT_NE(refused.errors.find("a pipe stands there"), std::string::npos) << refused.errors;
  }
}

TEST_F(Limits, ARecordingThatShrinksWhileItIsReadIsReadAsFarAsItGoes) {
  std::string path = folder_.file("shrinking.dwell"), whole = folder_.file("whole.dwell");
  ASSERT_TRUE(write_many_stacks(whole, 20000));
  std::string content = *read_file(whole);
  std::ofstream(path, std::ios::binary) << content;
  std::atomic<bool> stop = false;
  std::thread shrinker([&] {
    int file = ::open(path.c_str(), O_WRONLY);
    while (!stop) {
      (void)!::ftruncate(file, static_cast<off_t>(content.size() / 3));
      (void)!::pwrite(file, content.data(), content.size(), 0);
    }
    ::close(file);
  });
  for (int i = 0; i < 20; ++i) {
    Measured report = dwell({"report", path});
    EXPECT_TRUE(report.exit == 0 || report.exit == static_cast<int>(Exit::kBadInput)) << report.exit << report.errors;
  }
  stop = true;
  shrinker.join();
}

TEST_F(Limits, ARecorderThatIsShortOfMemoryCutsStacksAndStaysWithinItsLimit) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("many_stacks")});
  std::string path = folder_.file("r.dwell");
  Measured recorder = dwell({"record", "--exact", "--max-memory", "256M", "-p", std::to_string(target.pid()), "-d", "60s", "--detach-above", "0", "-o", path});
  EXPECT_EQ(recorder.exit, 0) << recorder.errors;
  EXPECT_NE(recorder.errors.find("new stacks are cut"), std::string::npos) << recorder.errors;
  EXPECT_LT(recorder.peak_mb, 400u) << "of which the buffers that it shares with the kernel are a part";
  EXPECT_TRUE(target.running());
  Finished report = run({dwell_binary(), "report", path});
  EXPECT_EQ(report.exit, 0) << report.errors;
  EXPECT_NE(report.output.find("new stacks are cut"), std::string::npos) << report.output;
  EXPECT_NE(report.output.find("(--max-memory)"), std::string::npos) << "why it ended";
}

class SafeOutput : public Limits {
 protected:
  Finished record(const std::vector<std::string>& options) {
    std::string command = "cd " + folder_.path() + " && exec " + dwell_binary() + " record -q -d 100ms -p " + std::to_string(target_.pid());
    for (const std::string& option : options) command += " '" + option + "'";
    return run({"timeout", "100", "sh", "-c", command});
  }
  std::string content(const std::string& name) { return *read_file(folder_.file(name)); }
  Program target_{{"sleep", "600"}};
};

TEST_F(SafeOutput, DefaultNamesAreNeverTakenTwice) {
  DWELL_NEEDS_BPF();
  std::string stem = "sleep." + std::to_string(target_.pid());
  EXPECT_EQ(record({}).exit, 0);
  EXPECT_TRUE(fs::is_regular_file(folder_.file(stem + ".dwell")));
  std::string first = content(stem + ".dwell");
  fs::create_symlink("planted", folder_.file(stem + ".2.dwell"));
  EXPECT_EQ(record({}).exit, 0);
  EXPECT_TRUE(fs::is_regular_file(folder_.file(stem + ".3.dwell")));
  EXPECT_EQ(content(stem + ".dwell"), first);
  EXPECT_FALSE(fs::exists(folder_.file("planted")));
}

TEST_F(SafeOutput, ARecordingMovesWhatStandsThereAndFollowsNoLink) {
  DWELL_NEEDS_BPF();
  for (const char* name : {"r.dwell", "r.dwell.old"}) std::ofstream(folder_.file(name)) << name;
  EXPECT_EQ(record({"-o", "r.dwell"}).exit, 0);
  EXPECT_EQ(content("r.dwell.old"), "r.dwell.old");
  EXPECT_EQ(content("r.dwell.old.2"), "r.dwell");

  fs::create_symlink("planted", folder_.file("dangling"));
  std::ofstream(folder_.file("precious")) << "precious";
  fs::create_symlink("precious", folder_.file("link"));
  ASSERT_EQ(::mkfifo(folder_.file("pipe").c_str(), 0600), 0);
  for (const char* name : {"dangling", "link", "pipe", "."}) {
    Finished refused = record({"-o", name});
    EXPECT_EQ(refused.exit, static_cast<int>(Exit::kOutput)) << name << refused.errors;
    EXPECT_NE(refused.errors.find("hint: "), std::string::npos) << refused.errors;
  }
  EXPECT_FALSE(fs::exists(folder_.file("planted")));
  EXPECT_EQ(content("precious"), "precious");
}

TEST_F(SafeOutput, UnderSudoFilesBelongToWhoCalledIt) {
  DWELL_NEEDS_BPF();
  ::setenv("SUDO_UID", "12345", 1);
  ::setenv("SUDO_GID", "12346", 1);
  EXPECT_EQ(record({"-o", "mine.dwell"}).exit, 0);
  EXPECT_EQ(run({dwell_binary(), "export", folder_.file("mine.dwell"), "-o", folder_.file("mine.svg")}).exit, 0);
  EXPECT_EQ(run({dwell_binary(), "threads", std::to_string(target_.pid()), "-o", folder_.file("look.dwell")}).exit, 0);
  ::unsetenv("SUDO_UID");
  ::unsetenv("SUDO_GID");
  for (const char* name : {"mine.dwell", "mine.svg", "look.dwell"}) {
    struct stat status {};
    ASSERT_EQ(::stat(folder_.file(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 12345u);
    EXPECT_EQ(status.st_gid, 12346u);
  }
}

}  // namespace
}  // namespace dwell::testing
