// SPDX-License-Identifier: Apache-2.0
// Processes that wait for each other, and those that only seem to: what is called certain is so.
#include <gmock/gmock.h>
#include <sys/syscall.h>

#include <fstream>

#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using nlohmann::json;

bool sleeps(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  return stat.find(") S ") != stat.npos;
}

class Pair {
 public:
  explicit Pair(const std::string& scenario, int call = SYS_write) : program_({target_binary("process_circles"), scenario}) {
    EXPECT_TRUE(program_.wait_for_output("child "));
    EXPECT_EQ(std::sscanf(program_.output().c_str(), "child %d", &child_), 1);
    // Until both are where they stay.
    EXPECT_TRUE(eventually([&] { return sleeps(parent()) && sleeps(child_) && call_of(child_) == call; })) << call_of(child_);
  }
  pid_t parent() const { return program_.pid(); }
  pid_t child() const { return child_; }

 private:
  static int call_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/syscall");
    int call = -1;
    file >> call;
    return call;
  }
  Program program_;
  int child_ = 0;
};

// The circle of processes that was found, if one was.
json circle_in(const json& report) {
  for (const json& verdict : report["verdicts"])
    if (verdict["headline"].get<std::string>().find("processes wait for each other") != std::string::npos) return verdict;
  return nullptr;
}

// Looks until it says so: the child may be on its way yet.
json certain_circle(pid_t pid) {
  LookedAt look;
  EXPECT_TRUE(eventually([&] { return (look = look_at(pid)).exit == 8; })) << look.report["verdicts"];
  json circle = circle_in(look.report);
  if (circle.is_null()) return circle;
  EXPECT_EQ(circle["certainty"], "certain") << circle;
  EXPECT_EQ(circle["kind"], "deadlock");
  return circle;
}

void expect_no_certainty(const std::string& scenario, int call = SYS_write) {
  Pair pair(scenario, call);
  for (pid_t pid : {pair.parent(), pair.child()}) {
    LookedAt look = look_at(pid);
    EXPECT_EQ(look.exit, 0) << scenario << look.report["verdicts"];
    json circle = circle_in(look.report);
    if (!circle.is_null()) EXPECT_NE(circle["certainty"], "certain") << scenario << circle;
  }
}

TEST(Circles, AParentWaitsForTheChildThatWritesIntoAFullPipe) {
  DWELL_NEEDS_BPF();
  Pair pair("full_pipe");
  std::string parent = "(" + std::to_string(pair.parent()) + ")", child = "(" + std::to_string(pair.child()) + ")";
  for (pid_t pid : {pair.parent(), pair.child()}) {
    json circle = certain_circle(pid);
    ASSERT_FALSE(circle.is_null());
    EXPECT_THAT(circle["headline"].get<std::string>(), AllOf(HasSubstr(parent), HasSubstr(child)));
    EXPECT_THAT(circle["evidence"].dump(), AllOf(HasSubstr("the end of child " + std::to_string(pair.child())), HasSubstr("read by process_circles " + parent)));
  }
}

TEST(Circles, ShowTheStacksOfBoth) {
  DWELL_NEEDS_BPF();
  Pair pair("full_pipe");
  certain_circle(pair.parent());
  Finished text = run({dwell_binary(), "threads", std::to_string(pair.parent())});
  EXPECT_EQ(text.exit, 8);
  EXPECT_THAT(text.output, AllOf(HasSubstr("Deadlock (certain): 2 processes wait for each other"), HasSubstr("parent_waits_for_child"), HasSubstr("child_fills_pipe")));
}

TEST(Circles, HoldThoughOtherThreadsWaitForThemAndThoughCtrlCWouldEndThem) {
  DWELL_NEEDS_BPF();
  EXPECT_FALSE(certain_circle(Pair("with_threads").parent()).is_null());
  Pair interruptible("interruptible");
  EXPECT_THAT(certain_circle(interruptible.parent())["evidence"].dump(), HasSubstr("SIGINT"));
}

TEST(Circles, OfSocketsAndOfFileLocks) {
  DWELL_NEEDS_BPF();
  Pair sockets("sockets", SYS_recvfrom);
  EXPECT_THAT(certain_circle(sockets.parent())["evidence"].dump(), HasSubstr("whose other side is the_child"));
  Pair lock("file_lock", SYS_fcntl);
  EXPECT_THAT(certain_circle(lock.child())["evidence"].dump(), HasSubstr("held by process_circles"));
}

// An eventfd may be on its way to others: the circle is no more than likely, and told once it has lasted.
TEST(Circles, OfEventfdsAreLikelyOnceTheyLast) {
  DWELL_NEEDS_BPF();
  Pair pair("event", SYS_read);
  LookedAt look = look_at(pair.child());
  EXPECT_EQ(look.exit, 0);
  EXPECT_TRUE(circle_in(look.report).is_null());
  EXPECT_THAT(look.report["threads"][0]["waits_for"].get<std::string>(), HasSubstr("which is open in this process itself and process_circles"));
  look = look_at(pair.child(), {"--stuck-after", "1ms"});
  EXPECT_EQ(circle_in(look.report)["certainty"], "likely") << look.report["verdicts"];
}

TEST(Circles, AreNotCertainWhereSomebodyElseMayAct) {
  DWELL_NEEDS_BPF();
  for (const char* scenario : {"also_read", "in_flight", "reader_thread"}) expect_no_certainty(scenario);
}

TEST(Circles, AreNotCertainWhereAWaitEndsByItself) {
  DWELL_NEEDS_BPF();
  for (const char* scenario : {"timed", "alarmed"}) expect_no_certainty(scenario);
  expect_no_certainty("not_full", SYS_clock_nanosleep);
  expect_no_certainty("timed_sockets", SYS_recvfrom);
}

TEST(Circles, DwellPidFindsThem) {
  DWELL_NEEDS_BPF();
  Pair pair("full_pipe");
  certain_circle(pair.parent());
  Finished checked = run({dwell_binary(), std::to_string(pair.child())});
  EXPECT_EQ(checked.exit, 8);
  EXPECT_THAT(checked.output, HasSubstr("1  deadlock (certain): 2 processes wait for each other"));
}

}  // namespace
}  // namespace dwell::testing
