// SPDX-License-Identifier: Apache-2.0
// What functions of Go take and give back, exactly as often as the program says. DWELL_GO_PAIRS may name more stripped builds of the
// target, of other versions of Go.
#include <gmock/gmock.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "tests/pairs/sites.h"
#include "userspace/pairs/functions.h"

namespace dwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using nlohmann::json;

// As the target has them.
constexpr int kForgotten = 3, kGotten = 400, kMoved = 8 * 25, kFresh = 60, kDeep = 200, kStreams = 70, kStreamsKept = 2, kRegions = 40,
              kRegion = 1000, kRecovered = 30, kLocked = 300;
constexpr const char* kConn = "conn=main.(*Pool).Get:main.(*Pool).Put(arg2)";

class GoPairs : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

// From the caller of the function that took to the goroutine's first.
void expect_whole(const json& report, const std::string& pair, const std::string& function, const std::vector<std::string>& callers) {
  for (const json& site : report["pairs"]["sites"]) {
    std::vector<std::string> names;
    for (const json& frame : site["stack"]) names.push_back(frame["function"]);
    if (site["pair"] != pair || std::ranges::find(names, function) == names.end()) continue;
    EXPECT_EQ(names, callers) << site;
  }
}

TEST_P(GoPairs, AreCountedExactly) {
  Scenario scenario = record_scenario(
      {GetParam()}, only({kConn, "ref=main.(*Conn).ref(arg1):main.(*Conn).unref", "stream=main.open(return2):main.shut(arg2)",
                          "mem=main.(*Region).reserve(arg1):main.(*Region).release:arg2", "saved=main.save?:main.disc*"}));
  const json& report = scenario.report;
  expect_nothing_lost(report);

  expect(taken_by(report, "conn", "main.forgets"), kGotten, kGotten - kForgotten);
  expect_whole(report, "conn", "main.forgets", {"main.(*Pool).Get", "main.forgets", "main.main", "runtime.main", "runtime.goexit"});
  expect(taken_by(report, "conn", "main.spares"), 1, 1);
  EXPECT_EQ(pair_named(report, "conn")["take_functions"].size(), 1u) << "that of SparePool is another one";
  EXPECT_EQ(pair_named(report, "conn")["unknown"], 0);

  // Each call waited until it was on another thread, and others gave back what it took.
  expect(taken_by(report, "conn", "main.gets"), kMoved, kMoved);
  expect_whole(report, "conn", "main.gets", {"main.(*Pool).Get", "main.gets", "main.hand.func1", "runtime.goexit"});
  std::size_t moved = scenario.output.find("moved ");
  ASSERT_NE(moved, std::string::npos) << scenario.output;
  EXPECT_GT(std::stoi(scenario.output.substr(moved + 6)), kMoved / 2);

  // Begun twice, as their stacks had to grow.
  expect(taken_by(report, "ref", "main.refers.func1"), kFresh, kFresh);
  expect(taken_by(report, "ref", "main.sinks"), kDeep, kDeep);

  expect(taken_by(report, "stream", "main.opens"), kStreams, kStreams - kStreamsKept);
  SiteSum memory = taken_by(report, "mem", "main.reserves");
  expect(memory, kRegions, kRegions - 1);
  EXPECT_EQ(memory.held_size, kRegion);
  expect(taken_by(report, "saved", "main.recovers"), kRecovered, kRecovered);
}

INSTANTIATE_TEST_SUITE_P(Targets, GoPairs, ::testing::ValuesIn(builds_of({"pairs", "pairs_stripped"}, "DWELL_GO_PAIRS")), name_of_build);

std::vector<std::string> names_of(const auto& found) {
  std::vector<std::string> names;
  for (const auto& one : found) names.push_back(one.name);
  return names;
}

TEST(GoPairFunctions, AreFoundByTheTableOfStrippedPrograms) {
  for (const char* build : {"pairs", "pairs_stripped"}) {
    Result<ElfFile> opened = ElfFile::open(target_binary(std::string("go/") + build));
    ASSERT_TRUE(opened) << opened.error().what;
    auto elf = std::make_shared<const ElfFile>(std::move(*opened));
    pairs::PairFunction get{"", "main.(*Pool).Get"}, all{"", "main.*Get"}, small{"", "main.small"}, tiny{"", "main.tiny"}, moves{"", "runtime.memmove"};
    auto find = [&](const pairs::PairFunction& one, std::vector<pairs::FoundCopy>& copies) {
      std::vector<pairs::FoundFunction> found = pairs::functions_in(*elf, nullptr, {&one});
      pairs::find_go_functions(elf, {&one}, found, copies);
      for (const pairs::FoundFunction& function : found) EXPECT_TRUE(function.go) << function.name;
      return found;
    };
    std::vector<pairs::FoundCopy> none, of_small, of_tiny;
    EXPECT_EQ(names_of(find(get, none)), std::vector<std::string>{"main.(*Pool).Get"}) << build;
    EXPECT_THAT(names_of(find(all, none)), Contains("main.(*SparePool).Get")) << build;
    EXPECT_EQ(find(get, none)[0].refusal, "") << build;
    EXPECT_EQ(names_of(none), std::vector<std::string>()) << build;
    EXPECT_THAT(find(moves, none).at(0).refusal, HasSubstr("assembly")) << build;
    EXPECT_EQ(find(small, of_small).size(), 1u) << build;
    bool inlines = build == std::string("pairs_stripped");
    EXPECT_EQ(find(tiny, of_tiny).size(), inlines ? 0u : 1u) << build;
    for (const std::vector<pairs::FoundCopy>& copies : {of_small, of_tiny}) {
      ASSERT_EQ(copies.size(), inlines ? 1u : 0u) << build;
      if (inlines) EXPECT_EQ(copies[0].inside, "main.inlines");
    }
  }
}

class GoPairForms : public ::testing::Test {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    program_.emplace(std::vector<std::string>{target_binary("go/pairs_stripped")});
    ASSERT_TRUE(program_->wait_for_output("ready"));
  }

  Finished record(const std::string& pair) {
    return run({dwell_binary(), "record", std::to_string(program_->pid()), "-d", "0.2", "-o", folder_.file("r.dwell"), "--only", "pairs", "--pair", pair});
  }

  std::string refused(const std::string& pair) {
    Finished finished = record(pair);
    EXPECT_EQ(finished.exit, 2) << finished.output << finished.errors;
    return finished.errors;
  }

  TemporaryFolder folder_;
  std::optional<Program> program_;
};

TEST_F(GoPairForms, ThatCannotBeAreRefusedBeforeAnythingIsAttached) {
  EXPECT_THAT(refused("c=main.(*Pool).Gett:main.(*Pool).Put(arg2)"), HasSubstr("did you mean main.(*Pool).Get?"));
  EXPECT_THAT(refused("c=main.open(*arg2):main.shut"), AllOf(HasSubstr("may end on another thread"), HasSubstr("say (return), or (arg2)")));
  EXPECT_THAT(refused("c=main.(*Conn).ref(arg1,return=0):main.(*Conn).unref"), HasSubstr("say (return), or (arg1)"));
  EXPECT_THAT(refused("c=main.open:main.shut:arg1"), HasSubstr("leave out the size"));
  EXPECT_THAT(refused("c=runtime.memmove:main.shut"), HasSubstr("written in assembly"));
  EXPECT_THAT(refused("c=main.tiny:main.discard"), AllOf(HasSubstr("inlined wherever it is called, as in main.inlines"), HasSubstr("//go:noinline")));
}

TEST_F(GoPairForms, OfFunctionsThatAreInlinedSomewhereTellSo) {
  Finished finished = record("c=main.small:main.discard");
  EXPECT_EQ(finished.exit, 5) << finished.output << finished.errors;
  EXPECT_THAT(finished.output + finished.errors, HasSubstr("inlined into its callers, as into main.inlines"));
}

TEST(GoPairLocks, AreTakenWhenTheCallBegins) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  Program target({target_binary("go/pairs")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string path = folder.file("locks.dwell");
  Recording recording(target.pid(), path, only({"lock=sync.(*Mutex).Lock(arg1):sync.(*Mutex).Unlock"}));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("done"));
  EXPECT_EQ(recording.stop(), 5) << "it is inlined in Go's own packages";
  json told = report(path);
  expect(taken_by(told, "lock", "main.locks"), kLocked, kLocked);
  expect(taken_by(told, "lock", "main.gets"), kMoved, kMoved);
}

}  // namespace
}  // namespace dwell::testing
