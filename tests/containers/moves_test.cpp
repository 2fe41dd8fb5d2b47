// SPDX-License-Identifier: Apache-2.0
// Programs that go to other namespaces and roots while they are recorded, or whose children are in one:
// figures stay exact, and libraries that are loaded there have names and whole stacks.
#include "tests/targets/moves.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/containers/placed.h"
#include "tests/end_to_end/truth.h"
#include "tests/robustness/residue.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

const std::vector<Truth> kMoves = {MOVES_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kChild = {MOVED_CHILD_FUNCTIONS(HEAP_TRUTH)};

class Moves : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    std::filesystem::create_directory(folder_.file("there"));
    std::filesystem::copy_file(target_binary("moved_library.so"), folder_.file("library.so"));
  }
  TemporaryFolder folder_;
};

TEST_P(Moves, NamesAndFiguresStay) {
  Program target({target_binary("moves"), GetParam(), folder_.path()});
  ASSERT_TRUE(target.wait_for_output("ready")) << target.errors();
  RecordingFrom recording({}, {"-p", std::to_string(target.pid())});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("loaded")) << target.errors();
  // Once a tick has told of a call from the library, its code has long been known.
  target.write_line("touch");
  ASSERT_TRUE(target.wait_for_output("touched"));
  ASSERT_TRUE(eventually([&] {
    json so_far = report(recording.file());
    return std::ranges::any_of(so_far["sites"],
                               [](const json& site) { return site["figures"]["allocated_bytes"] == 24; });
  }));
  target.write_line("keep");
  ASSERT_TRUE(target.wait_for_output("done")) << target.errors();
  json all = recording.stop();
  expect_kept(all, kMoves);
  for (const json& site : sites_in(all, "keep_in_moved_library"))
    EXPECT_THAT(site["stack"].dump(), ::testing::HasSubstr("moved_library.c")) << "lines are named too";
  EXPECT_THAT(changed_code(target.pid()), IsEmpty());
  target.write_line("end");
  EXPECT_EQ(target.wait(), 0) << target.errors();
}

INSTANTIATE_TEST_SUITE_P(, Moves,
                         ::testing::Values("unshare", "chroot", "pivot_root", "setns", "user", "delete"),
                         [](const auto& way) { return std::string(way.param); });

class MovedChildren : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

double kept_by(const json& report, int process, const Truth& truth) {
  double blocks = 0;
  for (const json& site : sites_in(report, truth.function))
    if (site["process"] == process) blocks += site["figures"]["retained_blocks"].get<double>();
  return blocks;
}

// A child lets itself be followed before it does anything.
void run_child(Program& target, RecordingFrom& recording) {
  ASSERT_TRUE(target.wait_for_output("child waits")) << target.errors();
  ASSERT_TRUE(recording.program().wait_for_error("was forked by")) << recording.program().errors();
  target.write_line("keep");
  ASSERT_TRUE(target.wait_for_output("child did it"));
}

TEST_F(MovedChildren, InAPidNamespaceOfTheirOwnAreFollowed) {
  Program target({target_binary("moves"), "fork-in-pid-namespace", "-"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  RecordingFrom recording({}, {"--follow-forks", "-p", std::to_string(target.pid())});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  run_child(target, recording);
  json all = recording.stop();
  ASSERT_EQ(all["processes"].size(), 2u);
  EXPECT_GT(all["processes"][1]["pid"], 1) << "by its id where dwell is, not by its own";
  for (const Truth& truth : kChild) EXPECT_EQ(kept_by(all, 1, truth), truth.blocks);
}

TEST_F(MovedChildren, ThatHaveTheSamePidOneAfterTheOtherAreProcessesOfTheirOwn) {
  Placed target({"new=pid,mount", "proc", "init"}, {target_binary("moves"), "reuse-pid", "-"});
  {
    RecordingFrom recording({target.chain().at(1)},
                            {"--follow-forks", "-p", std::to_string(target.pid_at(-1))});
    ASSERT_TRUE(recording.attached()) << recording.program().errors();
    target.program().write_line("go");
    for (int i = 0; i < REUSING_CHILDREN; ++i) {
      run_child(target.program(), recording);
      target.program().write_line("end of the child");
    }
    ASSERT_TRUE(target.program().wait_for_output("done")) << target.program().errors();
    json all = recording.stop();
    ASSERT_EQ(all["processes"].size(), 1u + REUSING_CHILDREN) << all["processes"];
    for (int i = 1; i <= REUSING_CHILDREN; ++i) {
      EXPECT_EQ(all["processes"][i]["pid"], REUSED_PID);
      for (const Truth& truth : kChild) EXPECT_EQ(kept_by(all, i, truth), truth.blocks) << i;
    }
  }
}

}  // namespace
}  // namespace dwell::testing
