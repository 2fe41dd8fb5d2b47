// SPDX-License-Identifier: Apache-2.0
// Go programs in recordings.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/end_to_end/harness.h"
#include "userspace/base/files.h"
#include "userspace/subjects/chunks.h"
#include "userspace/go/part.h"

namespace dwell::testing {
namespace {

using dwell::Recording;

std::string pid_of(Program& target) { return std::to_string(target.pid()); }

std::uint64_t count_in(const Recording& recording, const GoLook& look, const std::string& function) {
  std::uint64_t count = 0;
  for (const GoGroup& group : look.groups) {
    for (std::uint32_t location : recording.stacks[static_cast<std::size_t>(group.stack.stack)].locations) {
      if (location >= recording.symbols.size() || recording.symbols[location].frames.empty()) continue;
      if (recording.symbols[location].frames[0].function == function) {
        count += group.count;
        break;
      }
    }
  }
  return count;
}

// No allocator is called in it, and it is recorded all the same; the file is whole at each moment.
TEST(GoRecording, IsReadableWithNamesAfterSigkill) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("go/grow")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  target.write_line("leak 40");
  ASSERT_TRUE(target.wait_for_output("done leak"));
  TemporaryFolder folder;
  testing::Recording recorder(target.pid(), folder.file("go.dwell"), {"--look-every", "100ms"});
  ASSERT_TRUE(recorder.attached());
  auto looks = [&] {
    Result<Recording> recording = read_recording(folder.file("go.dwell"));
    return recording ? go_of(*recording).looks.size() : 0;
  };
  ASSERT_TRUE(eventually([&] { return looks() >= 3; }));
  recorder.program().signal(SIGKILL);
  recorder.program().wait();
  Result<Recording> recording = read_recording(folder.file("go.dwell"));
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_FALSE(recording->ended);
  for (const GoLook& look : go_of(*recording).looks) {
    EXPECT_EQ(count_in(*recording, look, "main.leak.func1"), 40u);
    EXPECT_EQ(look.version.substr(0, 4), "go1.");
    EXPECT_EQ(look.figures.broken, 0u);
  }
  ASSERT_FALSE(go_of(*recording).profiles.empty());
  EXPECT_EQ(go_of(*recording).profiles[0].rate, 512u << 10);
  EXPECT_TRUE(target.running());
}

TEST(GoRecording, BeginsWithTheProgramThatItStarts) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  Program dwell({dwell_binary(), "record", "-o", folder.file("go.dwell"), "--look-every", "100ms", "--",
                 target_binary("go/grow")});
  ASSERT_TRUE(dwell.wait_for_output("ready"));
  dwell.write_line("leak 30");
  auto seen = [&] {
    Result<Recording> recording = read_recording(folder.file("go.dwell"));
    return recording && !go_of(*recording).looks.empty() &&
           count_in(*recording, go_of(*recording).looks.back(), "main.leak.func1") == 30;
  };
  EXPECT_TRUE(eventually(seen)) << dwell.errors();
  dwell.signal(SIGINT);
  dwell.wait();
}

TEST(GoRecording, IsLeftOutWhereThatIsAskedFor) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("go/grow")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  TemporaryFolder folder;
  Finished refused = run(
      {dwell_binary(), "record", "--without", "go", "-p", pid_of(target), "-d", "1", "-o", folder.file("go.dwell")});
  EXPECT_EQ(refused.exit, 5);
  EXPECT_NE(refused.errors.find("a Go program manages its memory itself"), std::string::npos)
      << refused.errors;
}

TEST(GoRecording, NothingIsSaidOfGoInOtherPrograms) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  Finished done = run({dwell_binary(), "record", "-o", folder.file("c.dwell"), "--", target_binary("leaks")});
  EXPECT_EQ((done.output + done.errors).find("Go"), std::string::npos) << done.errors << done.output;
  Result<Recording> recording = read_recording(folder.file("c.dwell"));
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_TRUE(go_of(*recording).looks.empty());
}

// Goroutines and heap that grow at known lines and rates, seen for some seconds.
class GrowingProgram : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!why_no_bpf().empty()) return;
    folder = std::make_unique<TemporaryFolder>();
    Program target({target_binary("go/grow")});
    ASSERT_TRUE(target.wait_for_output("ready"));
    for (const char* command : {"leak 100", "churn 5", "grow 20"}) target.write_line(command);
    ASSERT_TRUE(target.wait_for_output("done grow"));
    for (const char* name : {"first.dwell", "second.dwell"}) {
      bool long_enough_for_growth = name == std::string("second.dwell");
      std::vector<std::string> options = {"-d", long_enough_for_growth ? "7" : "1.5"};
      testing::Recording recorder(target.pid(), folder->file(name), options);
      ASSERT_EQ(recorder.program().wait(), 0) << recorder.program().errors();
      summary = recorder.program().output();
    }
    report = testing::report(folder->file("second.dwell"));
  }
  static void TearDownTestSuite() { folder.reset(); }
  void SetUp() override { DWELL_NEEDS_BPF(); }

  static nlohmann::json creator_in(const nlohmann::json& go, const std::string& function) {
    for (const nlohmann::json& creator : go["creators"])
      if (!creator["created_by"].is_null() && creator["created_by"]["function"] == function) return creator;
    return nullptr;
  }
  static nlohmann::json site_in(const nlohmann::json& sites, const std::string& function) {
    for (const nlohmann::json& site : sites)
      if (!site["stack"].empty() && site["stack"][0]["function"] == function) return site;
    return nullptr;
  }

  static std::unique_ptr<TemporaryFolder> folder;
  static nlohmann::json report;
  static std::string summary;
};
std::unique_ptr<TemporaryFolder> GrowingProgram::folder;
nlohmann::json GrowingProgram::report;
std::string GrowingProgram::summary;

// One each 20 ms, or later on a machine with other work: never earlier.
TEST_F(GrowingProgram, IsSeenToGrowByCreator) {
  nlohmann::json go = report["go"][0], leak = creator_in(go, "main.leak");
  ASSERT_FALSE(leak.is_null()) << go.dump(1);
  EXPECT_TRUE(leak["count"]["grows"]);
  EXPECT_GT(leak["count"]["growth_per_minute"], 1000);
  EXPECT_LT(leak["count"]["growth_per_minute"], 3200);
  EXPECT_GT(leak["count"]["first"], 100);
  EXPECT_EQ(leak["most"]["stack"][0]["function"], "runtime.gopark");
  EXPECT_EQ(go["creators"][0], leak);
  EXPECT_GT(leak["stuck"], 100);
  EXPECT_EQ(go["stuck"]["goroutines"], leak["stuck"]);
  EXPECT_FALSE(creator_in(go, "main.each")["count"]["grows"]);
  EXPECT_NE(summary.find("Goroutines started at grow.go:36 (main.leak) grow steadily"), std::string::npos) << summary;
  EXPECT_LT(summary.find("goroutines can never wake: started at grow.go:36 (main.leak)"), summary.find("grow steadily")) << summary;
}

// 64 KB each 20 ms that stay, and each 5 ms that do not: 3.1 and 12.5 MB a second, less where the machine is
// late. The runtime samples one in 512 KB: 45 and 175 samples in 7 s.
TEST_F(GrowingProgram, TellsWhatAllocatesAndWhatStays) {
  nlohmann::json heap = report["go"][0]["heap"];
  double seconds = heap["window_ns"].get<double>() / 1e9;
  EXPECT_GT(seconds, 5);
  nlohmann::json retain = site_in(heap["sites"], "main.retain"),
                 garbage = site_in(heap["sites"], "main.garbage");
  ASSERT_FALSE(retain.is_null() || garbage.is_null()) << heap.dump(1);
  for (const auto& [site, rate] : {std::pair(retain, 3.1), std::pair(garbage, 12.5)}) {
    double allocated = site["allocated"]["bytes"].get<double>() / seconds / (1 << 20);
    double error = site["allocated"]["bytes_error"].get<double>() / seconds / (1 << 20);
    EXPECT_LT(allocated, rate + 5 * error);
    EXPECT_GT(allocated, rate / 3 - 5 * error);
    EXPECT_LT(error, allocated / 3);
  }
  EXPECT_GT(retain["growth_per_minute"], 20 << 20);
  EXPECT_GT(retain["in_use"]["bytes"], 10 << 20);
  EXPECT_LT(garbage["in_use"]["bytes"].get<double>(), garbage["allocated"]["bytes"].get<double>() / 4);
  EXPECT_GT(report["go"][0]["collector"]["cycles"], 2);
}

TEST_F(GrowingProgram, DiffersByWhatHasGrown) {
  Finished done =
      run({dwell_binary(), "diff", folder->file("first.dwell"), folder->file("second.dwell"), "-f", "json"});
  ASSERT_EQ(done.exit, 0) << done.errors;
  nlohmann::json go = nlohmann::json::parse(done.output)["go"];
  EXPECT_EQ(go["creators"][0]["created_by"]["function"], "main.leak");
  EXPECT_GT(go["creators"][0]["after"].get<int>() - go["creators"][0]["before"].get<int>(), 100);
  EXPECT_EQ(go["heap"][0]["stack"][0]["function"], "main.retain");
  Finished text = run({dwell_binary(), "diff", folder->file("first.dwell"), folder->file("second.dwell")});
  EXPECT_NE(text.output.find("main.leak (grow.go:36)"), std::string::npos) << text.output;
}

// The look that was kept reads as it did when it was taken, to the byte.
TEST(GoSnapshot, ReadsTheSameLater) {
  Program target({target_binary("go/grow")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  target.write_line("leak 40");
  ASSERT_TRUE(target.wait_for_output("done leak"));
  TemporaryFolder folder;
  std::string file = folder.file("s.dwell");
  for (bool json : {false, true}) {
    std::vector<std::string> live = {
        dwell_binary(), "go", "-p", pid_of(target), "--prove", "--heap", "-o", file};
    std::vector<std::string> kept = {dwell_binary(), "report", file};
    if (json) live.push_back("--json"), kept.push_back("--json");
    Finished now = run(live), later = run(kept);
    EXPECT_EQ(now.exit, 8) << now.errors;
    EXPECT_EQ(later.exit, 0) << later.errors;
    EXPECT_NE(now.output.find("main.leak.func1"), std::string::npos);
    EXPECT_EQ(now.output, later.output);
  }
}

// Timers and contexts that nothing holds: in a saved snapshot as in the one that was shown, and in a recording without a flag.
struct Holder {
  std::string target, option, part;
  std::vector<std::pair<std::string, int>> figures;
};
const Holder kHolders[] = {{"go/timers", "--timers", "timers", {{"useless_tickers", 40}}},
                           {"go/contexts", "--contexts", "contexts", {{"alive", 202}, {"lost", 170}}}};

TEST(GoHeld, IsSavedWithASnapshot) {
  TemporaryFolder folder;
  std::string file = folder.file("s.dwell");
  for (const Holder& holder : kHolders) {
    Program target({target_binary(holder.target)});
    ASSERT_TRUE(target.wait_for_output("ready"));
    for (bool json : {false, true}) {
      std::vector<std::string> live = {dwell_binary(), "go", pid_of(target), "--prove", holder.option, "-o", file};
      std::vector<std::string> kept = {dwell_binary(), "report", file};
      if (json) live.push_back("--json"), kept.push_back("--json");
      Finished now = run(live), later = run(kept);
      EXPECT_EQ(now.exit, 8) << now.errors;
      EXPECT_EQ(now.output, later.output);
      if (!json) continue;
      nlohmann::json report = nlohmann::json::parse(later.output);
      for (const auto& [figure, value] : holder.figures) EXPECT_EQ(report[holder.part][figure], value) << figure;
    }
  }
}

TEST(GoHeld, IsToldAtTheEndOfARecording) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  for (const Holder& holder : kHolders) {
    Program target({target_binary(holder.target)});
    ASSERT_TRUE(target.wait_for_output("ready"));
    std::string file = folder.file(holder.part + ".dwell");
    Finished recorded = run({dwell_binary(), "record", pid_of(target), "-d", "500ms", "-o", file});
    ASSERT_EQ(recorded.exit, 0) << recorded.errors;
    nlohmann::json go = report(file)["go"][0];
    for (const auto& [figure, value] : holder.figures) EXPECT_EQ(go[holder.part][figure], value) << figure;
    std::string words = holder.part == "timers" ? "40 tickers were never stopped" : "100 contexts were never cancelled";
    EXPECT_NE(recorded.output.find(words), std::string::npos) << recorded.output;
    Finished all = run({dwell_binary(), "report", file, "--only", "go"});
    std::string count = std::to_string(holder.figures.back().second);
    EXPECT_NE(all.output.find("At the end " + count + " of "), std::string::npos) << all.output;
    EXPECT_NE(all.output.find(holder.part == "timers" ? "tickers were never stopped" : "lost: its parent keeps it"), std::string::npos)
        << all.output;
  }
}

// All that goroutines can wait for. A recording keeps the innermost 1,024 calls of a stack that is deeper.
TEST(GoSnapshot, KeepsWhatEachWaitsFor) {
  Program target({target_binary("go/stuck")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  TemporaryFolder folder;
  std::string file = folder.file("s.dwell");
  auto groups_of = [](const std::string& text) {
    nlohmann::json groups = nlohmann::json::parse(text)["groups"];
    for (nlohmann::json& group : groups)
      if (group["stack"].size() > 1000) group["stack"] = nlohmann::json::array({group["stack"][3]});
    return groups;
  };
  Finished now = run({dwell_binary(), "go", "-p", pid_of(target), "--json", "-o", file});
  ASSERT_EQ(now.exit, 0) << now.errors;
  nlohmann::json seen = groups_of(now.output);
  EXPECT_GT(seen.size(), 15u);
  EXPECT_EQ(seen, groups_of(run({dwell_binary(), "report", "--json", file}).output));
}

}  // namespace
}  // namespace dwell::testing
