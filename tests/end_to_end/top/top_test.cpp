// SPDX-License-Identifier: Apache-2.0
// `dwell top` on live programs: driven by keys in a terminal, resized, ended in every way; and in lines.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/end_to_end/top/tmux.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

// Where traps are dear, windows tell too late of what these tests wait for, and exact recording takes all that the service has.
constexpr const char* kAll = " --exact --detach-above 0";

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// dwell top on a leaking service, in a terminal.
class Top : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  // Around dwell: how the terminal was before and after, and how dwell ended.
  std::string command(const std::string& arguments) const {
    return "cd " + folder_.path() + "; mkdir -p tmp; export TMPDIR=" + folder_.file("tmp") + "; stty -g >before; " + dwell_binary() + " top " + arguments +
           " 2>errors; echo $? >exit; stty -g >after; touch done; cat";
  }
  bool ended() const {
    return eventually([this] { return fs::exists(folder_.file("done")); });
  }
  void expect_restored() const {
    EXPECT_EQ(content_of(folder_.file("before")), content_of(folder_.file("after"))) << "the terminal is not as it was";
    EXPECT_TRUE(fs::is_empty(folder_.file("tmp"))) << "something was left behind";
  }
  std::string recordings() const {
    std::string names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path()))
      if (entry.path().extension() == ".dwell") names += entry.path().filename().string() + "\n";
    return names;
  }

  TemporaryFolder folder_;
  Program service_{{target_binary("leaking_service"), "600"}};
};

TEST_F(Top, IsDrivenByKeys) {
  Tmux terminal(command(std::to_string(service_.pid()) + kAll), 100, 24);
  ASSERT_TRUE(terminal.shows("SessionStore::begin")) << terminal.screen() << content_of(folder_.file("errors"));
  EXPECT_THAT(terminal.screen(), HasSubstr("leaking_service (" + std::to_string(service_.pid()) + ")"));
  EXPECT_TRUE(terminal.shows("MB/min")) << terminal.screen();
  terminal.keys("Down");
  terminal.keys("Enter");
  EXPECT_TRUE(terminal.shows("leaking_service.cpp:")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), HasSubstr("serve"));
  terminal.keys("Escape");
  EXPECT_TRUE(terminal.shows("call site"));
  terminal.type("/sessionstore");
  EXPECT_TRUE(terminal.shows("filter: sessionstore"));
  terminal.keys("Enter");
  EXPECT_TRUE(terminal.shows_no("PageCache")) << terminal.screen();
  terminal.keys("Escape");
  terminal.type("m");
  EXPECT_TRUE(terminal.shows("since mark")) << terminal.screen();
  terminal.resize(140, 40);
  EXPECT_TRUE(terminal.shows("live over time")) << terminal.screen();
  terminal.resize(40, 8);
  EXPECT_TRUE(terminal.shows_no("live over time"));
  terminal.resize(100, 24);
  terminal.type("2");
  EXPECT_TRUE(terminal.shows("3 threads")) << terminal.screen();
  terminal.type("3");
  EXPECT_TRUE(terminal.shows("descriptors")) << terminal.screen();
  terminal.type("?");
  EXPECT_TRUE(terminal.shows("Ctrl-C")) << terminal.screen();
  terminal.type("?1w");
  EXPECT_TRUE(terminal.shows("Saved leaking_service.")) << terminal.screen();
  terminal.type("q");
  ASSERT_TRUE(ended());
  EXPECT_EQ(content_of(folder_.file("exit")), "0\n") << content_of(folder_.file("errors"));
  expect_restored();

  std::string saved = "leaking_service." + std::to_string(service_.pid()) + ".dwell";
  EXPECT_EQ(recordings(), saved + "\n");
  nlohmann::json shown = report(folder_.file(saved));
  EXPECT_FALSE(sites_in(shown, "SessionStore::begin").empty()) << "it has names";
  EXPECT_EQ(shown["generations"].size(), 2u) << "it has the mark";
  EXPECT_TRUE(service_.running());
}

TEST_F(Top, GivesTheTerminalBackAtAnySignal) {
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    fs::remove(folder_.file("done"));
    Tmux terminal(command(std::to_string(service_.pid()) + kAll), 80, 24);
    // The first while it is still attaching, the others while it records.
    ASSERT_TRUE(terminal.shows(number == SIGTERM ? "attaching" : "SessionStore")) << terminal.screen();
    pid_t top = child_of(terminal.shell(), "dwell");
    ASSERT_GT(top, 0);
    ASSERT_EQ(::kill(top, number), 0);
    ASSERT_TRUE(ended()) << "signal " << number;
    EXPECT_EQ(content_of(folder_.file("exit")), "0\n") << content_of(folder_.file("errors"));
    expect_restored();
  }
  EXPECT_TRUE(service_.running());
}

TEST_F(Top, EndsWithItsTerminal) {
  Tmux terminal(command(std::to_string(service_.pid()) + kAll), 80, 24);
  ASSERT_TRUE(terminal.shows("SessionStore"));
  pid_t top = child_of(terminal.shell(), "dwell"), recorder = child_of(top, "dwell");
  ASSERT_GT(recorder, 0);
  terminal.end();
  EXPECT_TRUE(eventually([&] { return ::kill(top, 0) != 0 && ::kill(recorder, 0) != 0; })) << "it goes on without a terminal";
  EXPECT_TRUE(fs::is_empty(folder_.file("tmp")));
  EXPECT_TRUE(service_.running());
}

TEST_F(Top, ThatIsKilledLeavesNobodyWhoRecords) {
  Program top({dwell_binary(), "top", std::to_string(service_.pid())}, {"TMPDIR=" + folder_.path()});
  ASSERT_TRUE(top.wait_for_output("SessionStore")) << top.errors();
  pid_t recorder = child_of(top.pid(), "dwell");
  ASSERT_GT(recorder, 0);
  top.signal(SIGKILL);
  (void)top.wait();
  EXPECT_TRUE(eventually([&] { return ::kill(recorder, 0) != 0; }));
  EXPECT_TRUE(service_.running());
}

TEST_F(Top, StaysWhenTheProcessEnds) {
  Program short_lived({target_binary("leaking_service"), "600"});
  Tmux terminal(command(std::to_string(short_lived.pid()) + kAll), 100, 24);
  ASSERT_TRUE(terminal.shows("SessionStore")) << terminal.screen();
  short_lived.signal(SIGKILL);
  EXPECT_TRUE(terminal.shows("ended: the target ended")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), HasSubstr("SessionStore"));
  terminal.type("m");
  EXPECT_TRUE(terminal.shows("only while the recording goes on"));
  terminal.type("q");
  ASSERT_TRUE(ended());
  EXPECT_EQ(content_of(folder_.file("exit")), "0\n");
  expect_restored();
}

TEST_F(Top, WatchesSeveralProcesses) {
  Program other({target_binary("leaking_service"), "600"});
  Tmux terminal(command(std::to_string(service_.pid()) + " " + std::to_string(other.pid()) + kAll), 100, 24);
  ASSERT_TRUE(terminal.shows("(2 processes)")) << terminal.screen();
  EXPECT_TRUE(terminal.shows("SessionStore")) << terminal.screen();
  terminal.type("]");
  EXPECT_TRUE(terminal.shows("(" + std::to_string(service_.pid()) + ")  1 of 2")) << terminal.screen();
  terminal.type("]");
  EXPECT_TRUE(terminal.shows("(" + std::to_string(other.pid()) + ")  2 of 2")) << terminal.screen();
  EXPECT_TRUE(terminal.shows("SessionStore")) << terminal.screen();
  terminal.type("q");
  ASSERT_TRUE(ended());
  expect_restored();
}

TEST_F(Top, PrintsLinesWhereThereIsNoTerminal) {
  std::string path = folder_.file("kept.dwell");
  Finished top = run({dwell_binary(), "top", std::to_string(service_.pid()), "--exact", "--detach-above", "0", "-n", "3", "-i", "1s", "-o", path});
  EXPECT_EQ(top.exit, 0) << top.errors;
  EXPECT_THAT(top.output, HasSubstr("SessionStore::begin"));
  std::size_t times = 0;
  for (std::size_t at = 0; (at = top.output.find("leaking_service (", at)) != std::string::npos; ++at) ++times;
  EXPECT_EQ(times, 3u) << top.output;
  EXPECT_THAT(top.output, Not(HasSubstr("\x1b")));
  EXPECT_FALSE(sites_in(report(path), "SessionStore::begin").empty()) << "the recording is kept, and has names";
}

TEST_F(Top, KeepsABudgetAndSaysWhatItEstimates) {
  Program traffic({target_binary("traffic"), "4"});
  ASSERT_TRUE(traffic.wait_for_output("ready"));
  traffic.write_line("go");
  ASSERT_TRUE(traffic.wait_for_output("running"));
  Finished top = run({dwell_binary(), "top", std::to_string(traffic.pid()), "--max-overhead", "2", "-n", "8", "-i", "1s"});
  EXPECT_EQ(top.exit, 0) << top.errors;
  EXPECT_THAT(top.output, HasSubstr("traffic.c:")) << "call sites are known while it records, not at its end alone";
  EXPECT_THAT(top.output, ::testing::AnyOf(HasSubstr("±"), HasSubstr("KB to "), HasSubstr(" B to "))) << "an estimate is a range";
}

#ifdef DWELL_HAS_GO
TEST_F(Top, ShowsTheHeapOfAGoProgramByItsOwnLines) {
  Program grow({target_binary("go/grow")});
  grow.write_line("grow 5");
  ASSERT_TRUE(grow.wait_for_output("done grow"));
  Tmux terminal(command(std::to_string(grow.pid())), 100, 24);
  EXPECT_TRUE(terminal.shows("main.retain")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), HasSubstr("Go heap"));
  terminal.type("3");
  EXPECT_TRUE(terminal.shows("can never wake")) << terminal.screen();
  terminal.type("q");
  ASSERT_TRUE(ended());
  expect_restored();
}
#endif

TEST_F(Top, EndsWhenNobodyReadsItsLines) {
  Finished top = run({"sh", "-c", dwell_binary() + " top " + std::to_string(service_.pid()) + " -i 1s | head -n 1"});
  EXPECT_THAT(top.output, HasSubstr("leaking_service"));
}

TEST_F(Top, SaysWhyItCannotBegin) {
  Finished top = run({dwell_binary(), "top", "4194304"});
  EXPECT_EQ(top.exit, 3) << top.errors;
  Finished refused = run({dwell_binary(), "top", std::to_string(service_.pid()), "-o", "/nowhere/x.dwell", "-n", "1"});
  EXPECT_EQ(refused.exit, 7) << refused.errors;
  EXPECT_THAT(refused.errors, HasSubstr("/nowhere/x.dwell"));
}

TEST_F(Top, NeedsATerminalThatIsKnown) {
  std::string with = command(std::to_string(service_.pid()));
  Tmux terminal("export TERM=no-such-terminal; " + with, 80, 24);
  ASSERT_TRUE(ended());
  EXPECT_EQ(content_of(folder_.file("exit")), "2\n");
  EXPECT_THAT(content_of(folder_.file("errors")), HasSubstr("TERM=no-such-terminal"));
  expect_restored();
}

// A mark divides what is allocated: what of each part is still there is known at the end.
class Marks : public Top {};

TEST_F(Marks, DivideMemoryIntoGenerations) {
  std::string path = folder_.file("marked.dwell");
  Recording recording(service_.pid(), path, {"--only", "memory"});
  ASSERT_TRUE(recording.attached());
  Finished by_pid = run({dwell_binary(), "mark", std::to_string(service_.pid())});
  EXPECT_EQ(by_pid.exit, 0) << by_pid.errors;
  EXPECT_THAT(by_pid.output, HasSubstr("Mark 1, "));
  Finished by_file = run({dwell_binary(), "mark", path});
  EXPECT_THAT(by_file.output, HasSubstr("Mark 2, ")) << by_file.errors;
  ASSERT_EQ(recording.stop(), 0);

  nlohmann::json shown = report(path);
  expect_nothing_lost(shown);
  ASSERT_EQ(shown["generations"].size(), 3u);
  double retained = 0, allocated = 0;
  for (const auto& one : shown["generations"]) {
    retained += one["retained_bytes"].get<double>();
    allocated += one["allocated_bytes"].get<double>();
  }
  double all_retained = 0, all_allocated = 0;
  for (const auto& total : shown["totals"]) {
    if (total["kind"] != "heap" && total["kind"] != "mapping") continue;
    all_retained += total["figures"]["retained_bytes"].get<double>();
    all_allocated += total["figures"]["allocated_bytes"].get<double>();
  }
  EXPECT_EQ(retained, all_retained) << "generations add up";
  EXPECT_EQ(allocated, all_allocated);
  EXPECT_THAT(run({dwell_binary(), "report", path}).output, HasSubstr("Generations"));
}

TEST_F(Marks, AreAskedOfARecorderOnly) {
  Finished nobody = run({dwell_binary(), "mark", std::to_string(service_.pid())});
  EXPECT_EQ(nobody.exit, 3);
  EXPECT_THAT(nobody.errors, HasSubstr("no dwell that can be seen here records it"));
  EXPECT_TRUE(service_.running()) << "SIGUSR1 would have ended it";
}

}  // namespace
}  // namespace dwell::testing
