// SPDX-License-Identifier: Apache-2.0
// Go programs in recordings.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/end_to_end/harness.h"
#include "userspace/base/files.h"
#include "userspace/recording/reader.h"

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
    return recording ? recording->go_looks.size() : 0;
  };
  ASSERT_TRUE(eventually([&] { return looks() >= 3; }));
  recorder.program().signal(SIGKILL);
  recorder.program().wait();
  Result<Recording> recording = read_recording(folder.file("go.dwell"));
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_FALSE(recording->ended);
  for (const GoLook& look : recording->go_looks) {
    EXPECT_EQ(count_in(*recording, look, "main.leak.func1"), 40u);
    EXPECT_EQ(look.version.substr(0, 4), "go1.");
    EXPECT_EQ(look.figures.broken, 0u);
  }
  ASSERT_FALSE(recording->go_profiles.empty());
  EXPECT_EQ(recording->go_profiles[0].rate, 512u << 10);
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
    return recording && !recording->go_looks.empty() &&
           count_in(*recording, recording->go_looks.back(), "main.leak.func1") == 30;
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
      {dwell_binary(), "record", "--no-go", "-p", pid_of(target), "-d", "1", "-o", folder.file("go.dwell")});
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
  EXPECT_TRUE(recording->go_looks.empty());
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
        dwell_binary(), "threads", "-p", pid_of(target), "--goroutines", "--prove", "--heap", "-o", file};
    std::vector<std::string> kept = {dwell_binary(), "report", file};
    if (json) live.push_back("--json"), kept.push_back("--json");
    Finished now = run(live), later = run(kept);
    EXPECT_EQ(now.exit, 8) << now.errors;
    EXPECT_EQ(later.exit, 0) << later.errors;
    EXPECT_NE(now.output.find("main.leak.func1"), std::string::npos);
    EXPECT_EQ(now.output, later.output);
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
  Finished now = run({dwell_binary(), "threads", "-p", pid_of(target), "--goroutines", "--json", "-o", file});
  ASSERT_EQ(now.exit, 0) << now.errors;
  nlohmann::json seen = groups_of(now.output);
  EXPECT_GT(seen.size(), 15u);
  EXPECT_EQ(seen, groups_of(run({dwell_binary(), "report", "--json", file}).output));
}

}  // namespace
}  // namespace dwell::testing
