// SPDX-License-Identifier: Apache-2.0
// Processes that fork, become another program, load an allocator, start under dwell, or end under it.
#include "tests/targets/processes.h"

#include "tests/end_to_end/truth.h"
#include "tests/targets/heap_functions.h"

namespace dwell::testing {
namespace {

const std::vector<Truth> kParent = {PARENT_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kChild = {CHILD_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kVfork = {VFORK_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kLate = {LATE_FUNCTIONS(HEAP_TRUTH)};
const std::vector<Truth> kHeapFunctions = {HEAP_FUNCTIONS(HEAP_TRUTH)};

constexpr std::chrono::seconds kSoon{1};  // what arrives is found within that

// The report with the sites and totals of one of its processes only.
nlohmann::json of_process(nlohmann::json report, int process) {
  for (const char* list : {"sites", "totals"}) {
    nlohmann::json kept = nlohmann::json::array();
    for (const nlohmann::json& one : report[list])
      if (one["process"] == process) kept.push_back(one);
    report[list] = kept;
  }
  return report;
}

double total(const nlohmann::json& report, const std::string& figure) {
  double all = 0;
  for (const nlohmann::json& one : report["totals"])
    if (one["kind"] == "heap") all += one["figures"][figure].get<double>();
  return all;
}

class Processes : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  // Starts the target, and dwell on it.
  void start(const std::vector<std::string>& arguments, const std::vector<std::string>& options = {},
             const std::vector<std::string>& environment = {}) {
    std::vector<std::string> command{target_binary("processes")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    target_ = std::make_unique<Program>(command, environment);
    ASSERT_TRUE(target_->wait_for_output("ready"));
    recording_ = std::make_unique<Recording>(target_->pid(), folder_.file("r.dwell"), options);
    ASSERT_TRUE(recording_->attached()) << recording_->program().errors();
  }
  void tell(const std::string& line, const std::string& answer) {
    target_->write_line(line);
    ASSERT_TRUE(target_->wait_for_output(answer)) << target_->describe() << target_->errors();
  }
  nlohmann::json finish() {
    nlohmann::json all = finish_with_losses();
    expect_nothing_lost(all);
    return all;
  }
  nlohmann::json finish_with_losses() {
    EXPECT_EQ(recording_->stop(), 0) << recording_->program().errors();
    return report(folder_.file("r.dwell"));
  }
  // For how long new code ran without its probes.
  static std::uint64_t late_us(const nlohmann::json& report) {
    std::uint64_t us = 0;
    for (const nlohmann::json& loss : report["losses"]) {
      EXPECT_EQ(loss["name"], "microseconds without probes");
      us += loss["count"].get<std::uint64_t>();
    }
    return us;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Program> target_;
  std::unique_ptr<Recording> recording_;
};

TEST_F(Processes, AForkedChildChangesNothingUnlessItIsFollowed) {
  start({"fork"});
  tell("go", "child waits");
  tell("child", "child did it");
  tell("end of the child", "done");
  nlohmann::json report = finish();
  EXPECT_EQ(report["processes"].size(), 1u);
  expect_kept(report, kParent);
  expect_nothing_else(report, kParent, "heap");
  expect_no_surprise(report);
}

TEST_F(Processes, OfOneThatHasChildrenItSaysSoAndWhatToType) {
  DWELL_NEEDS_BPF();
  // They end with it.
  Program master({"sh", "-c", "setpriv --pdeathsig KILL sleep 60 & setpriv --pdeathsig KILL sleep 60 & echo ready; wait"});
  ASSERT_TRUE(master.wait_for_output("ready"));
  std::string pid = std::to_string(master.pid());
  ASSERT_TRUE(eventually([&] { return run({"pgrep", "-c", "-P", pid, "-x", "sleep"}).output == "2\n"; }));
  Finished recorded = run({dwell_binary(), "record", "-p", pid, "-d", "100ms", "-o", folder_.file("r.dwell")});
  EXPECT_EQ(recorded.exit, 0) << recorded.errors;
  std::string told = "it has 2 child processes that are not recorded: ";
  EXPECT_NE(recorded.errors.find(told), std::string::npos) << recorded.errors;
  EXPECT_NE(recorded.errors.find("; for the busiest: dwell record "), std::string::npos) << recorded.errors;
  EXPECT_NE(report(folder_.file("r.dwell")).dump().find(told), std::string::npos);
}

TEST_F(Processes, AFollowedChildIsAProcessOfItsOwn) {
  start({"fork"}, {"--follow-forks"});
  tell("go", "child waits");
  ASSERT_TRUE(recording_->program().wait_for_error("was forked by"));
  tell("child", "child did it");
  nlohmann::json report = finish();  // while it lives
  ASSERT_EQ(report["processes"].size(), 2u);
  EXPECT_EQ(report["processes"][1]["parent"], 0);
  expect_kept(of_process(report, 0), kParent);
  expect_nothing_else(of_process(report, 0), kParent, "heap");
  expect_kept(of_process(report, 1), kChild);
  expect_nothing_else(of_process(report, 1), kChild, "heap");
  EXPECT_EQ(total(of_process(report, 1), "inherited_blocks"), INHERITED_BLOCKS);
  EXPECT_EQ(total(of_process(report, 1), "inherited_bytes"), INHERITED_BYTES);
  EXPECT_EQ(total(of_process(report, 0), "inherited_blocks"), 0);
  expect_no_surprise(report);
}

TEST_F(Processes, AVforkedChildThatCallsExecChangesNothing) {
  for (std::vector<std::string> options : {std::vector<std::string>{}, {"--follow-forks"}}) {
    start({"vfork"}, options);
    tell("go", "done");
    nlohmann::json report = finish();
    EXPECT_EQ(report["processes"].size(), 1u);
    expect_kept(report, kVfork);
    expect_nothing_else(report, kVfork, "heap");
    expect_no_surprise(report);
  }
}

// The new program is not held: what it does before its tables are there has cut stacks, and that is told. The
// probes in its C library are the kernel's work, and miss nothing.
TEST_F(Processes, WhatExecReplacesIsGone) {
  start({"exec", target_binary("heap_functions")});
  tell("go", "ready");
  ASSERT_TRUE(recording_->program().wait_for_error("became another program, heap_functions: stacks may be cut"))
      << recording_->program().errors();
  tell("go", "done");
  nlohmann::json report = finish();
  EXPECT_EQ(report["processes"].size(), 1u);
  std::vector<nlohmann::json> before = sites_in(report, EXEC_FUNCTION);
  EXPECT_EQ(sum(before, "allocations"), EXEC_BLOCKS);
  EXPECT_EQ(sum(before, "retained_blocks"), 0);
  EXPECT_EQ(sum(before, "dropped_blocks"), EXEC_BLOCKS);
  EXPECT_EQ(sum(before, "dropped_bytes"), EXEC_BYTES);
  expect_kept(report, kHeapFunctions);
}

TEST_F(Processes, AProgramWithAnotherAllocatorIsProbedAfterExec) {
  start({"exec", target_binary("heap_functions_static")});
  tell("go", "ready");
  ASSERT_TRUE(recording_->program().wait_for_error("heap_functions_static was mapped while recording"));
  ASSERT_TRUE(recording_->program().wait_for_error("calls may be missing, and stacks cut, in its first"));
  tell("go", "done");
  nlohmann::json report = finish_with_losses();
  EXPECT_GT(late_us(report), 0u) << "its probes came after it began";
  EXPECT_EQ(sum(sites_in(report, EXEC_FUNCTION), "retained_blocks"), 0);
  expect_kept(report, kHeapFunctions);
}

// The kernel ties probes to a process's first thread, whose place another one takes by execve().
TEST_F(Processes, ExecByAnotherThreadKeepsTheProbes) {
  int methods = 0;
  for (const char* method : {"session", "multi", "perf"}) {
    // Not every kernel has each of them.
    if (run({dwell_binary(), "record", "-q", "-o", folder_.file("try.dwell"), "--attach-method", method, "--", "true"}).exit)
      continue;
    ++methods;
    start({"exec-by-thread", target_binary("heap_functions")}, {"--attach-method", method});
    tell("go", "ready");
    ASSERT_TRUE(recording_->program().wait_for_error("became another program, heap_functions: calls may be missing"))
        << method << recording_->program().errors();
    tell("go", "done");
    nlohmann::json report = finish_with_losses();
    EXPECT_GT(late_us(report), 0u) << method;
    EXPECT_EQ(sum(sites_in(report, EXEC_FUNCTION), "retained_blocks"), 0) << method;
    expect_kept(report, kHeapFunctions);
  }
  EXPECT_GE(methods, 1);
}

// The same program at the same addresses: its tables are published again all the same.
TEST_F(Processes, ExecToTheSameAddressesHasStacks) {
  target_ = std::make_unique<Program>(std::vector<std::string>{"setarch", "-R", target_binary("processes"), "exec",
                                                               target_binary("processes"), "exec",
                                                               target_binary("heap_functions")});
  ASSERT_TRUE(target_->wait_for_output("ready"));
  recording_ = std::make_unique<Recording>(target_->pid(), folder_.file("r.dwell"));
  ASSERT_TRUE(recording_->attached()) << recording_->program().errors();
  tell("go", "ready");
  ASSERT_TRUE(recording_->program().wait_for_error("became another program, processes"));
  tell("go", "ready");
  ASSERT_TRUE(recording_->program().wait_for_error("became another program, heap_functions"));
  tell("go", "done");
  nlohmann::json report = finish();
  EXPECT_EQ(sum(sites_in(report, EXEC_FUNCTION), "allocations"), 2 * EXEC_BLOCKS);
  expect_kept(report, kHeapFunctions);
}

TEST_F(Processes, ALibraryThatIsLoadedLaterIsProbed) {
  if (!is_installed("libmimalloc.so.2")) GTEST_SKIP() << "libmimalloc.so.2 is not installed";
  start({"load", "libmimalloc.so.2", "mi_"});
  tell("go", "loaded");
  ASSERT_TRUE(recording_->program().wait_for_error("mimalloc in", kSoon)) << recording_->program().errors();
  tell("allocate", "done");
  nlohmann::json report = finish_with_losses();
  EXPECT_GT(late_us(report), 0u) << "it was mapped before its probes were in place";
  expect_kept(report, kLate);
}

TEST_F(Processes, WhatIsLeftAtTheEndOfTheTargetIsReported) {
  target_ = std::make_unique<Program>(std::vector<std::string>{target_binary("heap_functions")});
  ASSERT_TRUE(target_->wait_for_output("ready"));
  recording_ = std::make_unique<Recording>(target_->pid(), folder_.file("r.dwell"));
  ASSERT_TRUE(recording_->attached());
  tell("go", "done");
  target_->write_line("end");
  EXPECT_EQ(target_->wait(), 0);
  EXPECT_EQ(recording_->program().wait(), 0) << "the recording ends with its target";
  nlohmann::json report = dwell::testing::report(folder_.file("r.dwell"));
  EXPECT_EQ(report["end_reason"], "the target ended");
  expect_nothing_lost(report);
  expect_kept(report, kHeapFunctions);
}

}  // namespace
}  // namespace dwell::testing
