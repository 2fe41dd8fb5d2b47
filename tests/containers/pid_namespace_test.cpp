// SPDX-License-Identifier: Apache-2.0
// Every command on programs in PID namespaces, from each namespace that can see them: figures are exact, and
// ids are those of the namespace that dwell runs in.
#include <gmock/gmock.h>
#include <signal.h>

#include "tests/containers/placed.h"
#include "tests/end_to_end/truth.h"
#include "tests/robustness/residue.h"
#include "tests/targets/clock_reads.h"
#include "tests/targets/heap_functions.h"
#include "tests/targets/processes.h"
#include "tests/targets/thread_makers.h"
#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

const std::vector<Truth> kHeapFunctions = {HEAP_FUNCTIONS(HEAP_TRUTH) HEAP_FUNCTIONS_PVALLOC(HEAP_TRUTH)};
const std::vector<Truth> kParent = {PARENT_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kChild = {CHILD_FUNCTIONS(HEAP_TRUTH)};

// Where the program is, and how many namespaces below the test's own dwell is.
struct Scene {
  const char* name;
  Words place;
  int levels;
};
const Scene kScenes[] = {
    {"FromOutside", {"new=pid,mount", "proc", "init"}, 0},
    {"FromInside", {"new=pid,mount", "proc", "init"}, 1},
    {"OfProcessOneFromInside", {"new=pid,mount", "proc"}, 1},
    {"OfOneTwoLevelsDownFromOutside", {"new=pid,mount", "proc", "init", "new=pid,mount", "proc", "init"}, 0},
    {"OfOneTwoLevelsDownFromBetween", {"new=pid,mount", "proc", "init", "new=pid,mount", "proc"}, 1},
    {"OfOneTwoLevelsDownFromInside", {"new=pid,mount", "proc", "init", "new=pid,mount", "proc", "init"}, 2},
};

void PrintTo(const Scene& scene, std::ostream* out) { *out << scene.name; }

class PidNamespace : public ::testing::TestWithParam<Scene> {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  void start(const Words& command) {
    target_ = std::make_unique<Placed>(GetParam().place, command);
    // The first process of the n-th namespace is the child of the one that made it.
    const std::vector<pid_t>& chain = target_->chain();
    if (GetParam().levels == 1) viewer_.beside = chain.at(1);
    if (GetParam().levels == 2) viewer_.beside = chain.back();
    pid_ = target_->pid_at(GetParam().levels);
    own_pid_ = target_->pid_at(-1);
  }
  // Of dwell, with the PID as it is seen from there.
  Words on_target(Words arguments) const {
    arguments.insert(arguments.end(), {"-p", std::to_string(pid_)});
    return arguments;
  }
  json look() {
    Finished look = run(viewer_.command(on_target({"threads", "--json"})));
    EXPECT_EQ(look.errors, "");
    exit_ = look.exit;
    return json::parse(look.output, nullptr, false);
  }

  std::unique_ptr<Placed> target_;
  Viewer viewer_;
  pid_t pid_ = 0, own_pid_ = 0;
  int exit_ = 0;
};

TEST_P(PidNamespace, ARecordingIsExact) {
  start({target_binary("heap_functions")});
  RecordingFrom recording(viewer_, on_target({}));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target_->program().write_line("go");
  ASSERT_TRUE(target_->program().wait_for_output("done"));
  json report = recording.stop();
  EXPECT_EQ(report["processes"][0]["pid"], pid_);
  expect_kept(report, kHeapFunctions);
  expect_nothing_else(report, kHeapFunctions, "heap");
  expect_no_surprise(report);
  EXPECT_THAT(changed_code(target_->pid()), IsEmpty());
  target_->program().write_line("end");
  EXPECT_EQ(target_->program().wait(), 0);
}

TEST_P(PidNamespace, ForksAreFollowed) {
  start({target_binary("processes"), "fork"});
  RecordingFrom recording(viewer_, on_target({"--follow-forks"}));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  Program& target = target_->program();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("child waits"));
  ASSERT_TRUE(recording.program().wait_for_error("was forked by " + std::to_string(pid_)));
  target.write_line("child");
  ASSERT_TRUE(target.wait_for_output("child did it"));
  json report = recording.stop();
  ASSERT_EQ(report["processes"].size(), 2u);
  for (const Truth& truth : kParent) {
    double kept = 0;
    for (const json& site : sites_in(report, truth.function))
      if (site["process"] == 0) kept += site["figures"]["retained_blocks"].get<double>();
    EXPECT_EQ(kept, truth.blocks) << truth.function;
  }
  for (const Truth& truth : kChild) {
    double kept = 0;
    for (const json& site : sites_in(report, truth.function))
      if (site["process"] == 1) kept += site["figures"]["retained_blocks"].get<double>();
    EXPECT_EQ(kept, truth.blocks) << truth.function;
  }
}

TEST_P(PidNamespace, ThreadsAndTheirBlockedTimeAreRecorded) {
  start({target_binary("thread_makers")});
  RecordingFrom recording(viewer_, on_target({"--blocked"}));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target_->program().write_line("go");
  ASSERT_TRUE(target_->program().wait_for_output("done"));
  json report = recording.stop();
  std::uint64_t created = 0, alive = 0;
  for (const json& site : report["thread_sites"]) {
    created += site["created"].get<std::uint64_t>();
    alive += site["alive"].get<std::uint64_t>();
  }
  EXPECT_EQ(created, MADE_JOINED + MADE_UNJOINED + MADE_DETACHED + MADE_DETACHED_LATER + MADE_ALIVE);
  EXPECT_EQ(alive, MADE_ALIVE);
  // The main thread waited for a line since before the recording began.
  bool reads = std::ranges::any_of(report["blocked"], [](const json& site) {
    return std::ranges::any_of(site["stack"], [](const json& frame) { return frame["function"] == "main"; });
  });
  EXPECT_TRUE(reads) << report["blocked"];
}

TEST_P(PidNamespace, LocksNameTheirOwners) {
  start({target_binary("stuck_locks"), "ab_ba"});
  json report = look();
  EXPECT_EQ(exit_, 8);
  ASSERT_EQ(report["verdicts"].size(), 1u) << report["verdicts"];
  EXPECT_EQ(report["verdicts"][0]["kind"], "deadlock");
  EXPECT_EQ(report["verdicts"][0]["certainty"], "certain");
  for (auto [waiter, owner] : {std::pair("one", "two"), {"two", "one"}}) {
    json thread = threads_named(report, waiter).at(0);
    json lock = report["locks"][thread["lock"].get<std::size_t>()];
    EXPECT_EQ(lock["owner"], threads_named(report, owner).at(0)["tid"]);
    int own = thread["own_tid"].get<int>() - own_pid_, ours = thread["tid"].get<int>() - pid_;
    EXPECT_TRUE(0 < own && own <= ours) << "ids come one after the other, and outside others have some in between: " << own << ", " << ours;
  }
}

TEST_P(PidNamespace, ClockReadsAreCounted) {
  start({target_binary("clock_reads")});
  Program dwell(viewer_.command(on_target({"clocks", "-d", "60", "--share", "100", "--json"})));
  ASSERT_TRUE(dwell.wait_for_error("looking at")) << dwell.errors();
  target_->program().write_line("go");
  ASSERT_TRUE(target_->program().wait_for_output("done"));
  dwell.signal(SIGINT);
  EXPECT_EQ(dwell.wait(), 0) << dwell.errors();
  json report = json::parse(dwell.output(), nullptr, false);
  auto expect = [&](const std::string& function, const char* clock, std::uint64_t times) {
    std::uint64_t reads = 0;
    for (const json& site : report["reads"])
      for (const json& frame : site["stack"])
        if (frame["function"] == function && !site["sampled"]) {
          reads += site["counted"].get<std::uint64_t>();
          EXPECT_EQ(site["clock"], clock);
        }
    EXPECT_EQ(reads, times) << function;
  };
  expect("read_realtime", "CLOCK_REALTIME", 300);
  expect("read_monotonic", "CLOCK_MONOTONIC", 200);
  expect("read_by_system_call", "CLOCK_MONOTONIC", 50);
}

INSTANTIATE_TEST_SUITE_P(, PidNamespace, ::testing::ValuesIn(kScenes),
                         [](const auto& scene) { return std::string(scene.param.name); });

class InPidNamespace : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

TEST_F(InPidNamespace, AProgramIsStarted) {
  TemporaryFolder folder;
  std::string file = folder.file("r.dwell");
  Program dwell(placed({"new=pid,mount", "proc", "init"},
                       {dwell_binary(), "record", "-o", file, "--", target_binary("heap_functions")}));
  ASSERT_TRUE(dwell.wait_for_output("ready")) << dwell.errors();
  dwell.write_line("go");
  ASSERT_TRUE(dwell.wait_for_output("done"));
  dwell.write_line("end");
  EXPECT_EQ(dwell.wait(), 0) << dwell.errors();
  json all = report(file);
  expect_nothing_lost(all);
  expect_kept(all, kHeapFunctions);
}

// `unshare --pid` without --mount-proc: an id would mean one process in /proc and another in a system call.
TEST_F(InPidNamespace, AnotherNamespacesProcIsRefused) {
  for (const Words& arguments : {Words{"record", "-p", "1"}, {"threads", "-p", "1"}, {"clocks", "-p", "1"}}) {
    Words command = arguments;
    command.insert(command.begin(), dwell_binary());
    Finished refused = run(placed({"new=pid"}, command));
    EXPECT_EQ(refused.exit, 5);
    EXPECT_THAT(refused.errors, ::testing::HasSubstr("it shows another PID namespace than dwell runs in"));
    EXPECT_THAT(refused.errors, ::testing::HasSubstr("mount -t proc proc /proc"));
  }
}

TEST_F(InPidNamespace, DoctorFindsAllThatItFindsOutside) {
  Finished outside = run({dwell_binary(), "doctor", "--json"});
  Finished inside = run(placed({"new=pid,mount", "proc", "init"}, {dwell_binary(), "doctor", "--json"}));
  EXPECT_EQ(inside.exit, 0) << inside.output;
  EXPECT_EQ(json::parse(inside.output)["features"], json::parse(outside.output)["features"]);
}

}  // namespace
}  // namespace dwell::testing
