// SPDX-License-Identifier: Apache-2.0
// What reads the target's files while dwell records has nothing, and may die: the recording does not.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/robustness/residue.h"
#include "userspace/base/files.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;

std::string field(pid_t pid, const std::string& name) {
  Result<std::string> status = read_file("/proc/" + std::to_string(pid) + "/status");
  std::string text = status ? "\n" + *status : "";
  std::size_t at = text.find("\n" + name + ":");
  if (at == std::string::npos) return "";
  std::size_t from = text.find_first_not_of("\t ", at + name.size() + 2);
  return text.substr(from, text.find('\n', from) - from);
}

// A process of this name below another one; -1: none.
pid_t below(pid_t ancestor, const std::string& name) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || field(pid, "Name") != name) continue;
    for (pid_t at = pid; at > 1; at = std::atoi(field(at, "PPid").c_str()))
      if (at == ancestor) return pid;
  }
  return -1;
}

constexpr std::uint64_t kSysAdmin = 1ULL << 21, kDacOverride = 1ULL << 1, kSysModule = 1ULL << 16, kBpf = 1ULL << 39;

class ParserOfARecording : public ::testing::Test {
 protected:
  // Records, does something to the parser when it has been at work, and goes on for a while.
  nlohmann::json record_while(const std::function<void(pid_t)>& trouble) {
    Program service({target_binary("leaking_service"), "120"});
    std::string path = folder_.file("a.dwell");
    Recording recording(service.pid(), path);
    EXPECT_TRUE(recording.attached());
    pid_t parser = -1;
    EXPECT_TRUE(eventually([&] { return (parser = below(recording.program().pid(), "dwell-parser")) > 0; }));
    if (parser > 0) trouble(parser);
    EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
    EXPECT_TRUE(service.running()) << service.describe();
    nlohmann::json told = report(path);
    EXPECT_GT(told["cost"]["probe_hits"], 0);
    expect_nothing_lost(told);
    return told;
  }
  static bool is_noted(const nlohmann::json& told, const std::string& text) {
    for (const auto& note : told["notes"])
      if (note.dump().find(text) != std::string::npos) return true;
    return false;
  }
  TemporaryFolder folder_;
};

TEST_F(ParserOfARecording, WhoRecordsKeepsWhatItNeedsAndWhoReadsKeepsNothing) {
  DWELL_NEEDS_BPF();
  Program service({target_binary("leaking_service"), "120"});
  Recording recording(service.pid(), folder_.file("a.dwell"));
  ASSERT_TRUE(recording.attached());
  pid_t dwell = recording.program().pid();
  for (const char* set : {"CapEff", "CapPrm", "CapBnd"}) {
    std::uint64_t held = std::strtoull(field(dwell, set).c_str(), nullptr, 16);
    EXPECT_FALSE(held & (kSysAdmin | kDacOverride | kSysModule)) << set << " " << std::hex << held;
    EXPECT_TRUE(held & kBpf) << set;
  }
  EXPECT_EQ(field(dwell, "NoNewPrivs"), "1");
  pid_t parser = below(dwell, "dwell-parser");
  ASSERT_GT(parser, 0);
  EXPECT_EQ(field(parser, "CapEff"), "0000000000000000");
  EXPECT_EQ(field(parser, "Seccomp"), "2");
  EXPECT_THAT(field(parser, "Uid"), HasSubstr("65534"));
  EXPECT_EQ(recording.stop(), 0);
  EXPECT_TRUE(eventually([&] { return ::kill(parser, 0) != 0; })) << "it ends with dwell";
}

// It ended by itself, and is kept from finishing for a while: Ctrl-C comes too late to ask for anything.
TEST_F(ParserOfARecording, ASignalWhileItIsFinishedEndsNothing) {
  DWELL_NEEDS_BPF();
  Program service({target_binary("leaking_service"), "120"});
  std::string path = folder_.file("a.dwell");
  Recording recording(service.pid(), path, {"-d", "1s"});
  ASSERT_TRUE(recording.attached());
  pid_t parser = -1;
  ASSERT_TRUE(eventually([&] { return (parser = below(recording.program().pid(), "dwell-parser")) > 0; }));
  ASSERT_TRUE(eventually([&] { return !changed_code(service.pid()).empty(); }));
  ::kill(parser, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return changed_code(service.pid()).empty(); })) << "detached: now names are looked for";
  ASSERT_TRUE(recording.program().running());
  recording.program().signal(SIGINT);
  EXPECT_EQ(recording.program().wait(), 0) << recording.program().describe();
  EXPECT_EQ(report(path)["end_reason"], "stopped by -d");
}

TEST_F(ParserOfARecording, AProgramThatIsStartedKeepsWhatItHas) {
  DWELL_NEEDS_BPF();
  Finished done = run({dwell_binary(), "record", "-q", "-o", folder_.file("a.dwell"), "--", "grep", "-E",
                       "^(NoNewPrivs|Seccomp|CapEff|CapBnd):", "/proc/self/status"});
  Finished plain = run({"grep", "-E", "^(NoNewPrivs|Seccomp|CapEff|CapBnd):", "/proc/self/status"});
  EXPECT_EQ(done.exit, 0) << done.errors;
  EXPECT_EQ(done.output, plain.output);
}

TEST_F(ParserOfARecording, ItsDeathCostsNamesAndNotTheRecording) {
  DWELL_NEEDS_BPF();
  nlohmann::json told = record_while([](pid_t parser) { EXPECT_EQ(::kill(parser, SIGKILL), 0); });
  EXPECT_TRUE(is_noted(told, "was ended by signal 9")) << told["notes"];
  // Whose names are asked for next gets a fresh one.
  EXPECT_NE(told.dump().find("start_thread"), std::string::npos) << "of the C library";
}

// A file system that does not answer looks like this from outside: the reader lives, and does nothing.
TEST_F(ParserOfARecording, OneThatHangsIsGivenUp) {
  DWELL_NEEDS_BPF();
  nlohmann::json told = record_while([](pid_t parser) { EXPECT_EQ(::kill(parser, SIGSTOP), 0); });
  EXPECT_TRUE(is_noted(told, "has not answered")) << told["notes"];
}

// A recording of a stranger's is read by a process that can open nothing else.
TEST_F(ParserOfARecording, AReportReadsItsFileAndWritesItsFolder) {
  DWELL_NEEDS_BPF();
  (void)record_while([](pid_t) {});
  std::filesystem::create_directory(folder_.file("out"));
  for (const std::string& output : {folder_.file("a.folded"), folder_.file("out/b.folded")}) {
    Finished done = run({dwell_binary(), "export", folder_.file("a.dwell"), "-o", output, "-f", "folded"});
    EXPECT_EQ(done.exit, 0) << output << ": " << done.errors;
  }
  std::string twice = folder_.file("a.dwell");
  EXPECT_EQ(run({dwell_binary(), "diff", twice, twice, "-o", folder_.file("d.txt")}).exit, 0);
  Finished in_place = run({dwell_binary(), "symbolize", folder_.file("a.dwell")});
  EXPECT_EQ(in_place.exit, 0) << in_place.errors;
  Finished relative = run({"sh", "-c", "cd " + folder_.path() + " && " + dwell_binary() + " export a.dwell -o c.svg"});
  EXPECT_EQ(relative.exit, 0) << relative.errors;
  EXPECT_TRUE(std::filesystem::exists(folder_.file("c.svg")));
}

}  // namespace
}  // namespace dwell::testing
