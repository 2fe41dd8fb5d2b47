// SPDX-License-Identifier: Apache-2.0
// `dwell files`: every kind of descriptor, as the program that opened it says; who else has it; and what is wrong.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/end_to_end/harness.h"
#include "tests/targets/descriptors.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using nlohmann::json;

json files_of(pid_t pid) {
  Finished look = run({dwell_binary(), "files", std::to_string(pid), "--json"});
  EXPECT_EQ(look.exit, 0) << look.errors;
  json parsed = json::parse(look.output, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << look.output;
  return parsed;
}

std::string text_of(pid_t pid, const std::vector<std::string>& options = {}) {
  std::vector<std::string> command{dwell_binary(), "files", std::to_string(pid)};
  command.insert(command.end(), options.begin(), options.end());
  return run(command).output;
}

json descriptor(const json& look, int fd) {
  for (const json& one : look["descriptors"])
    if (one["fd"] == fd) return one;
  return nullptr;
}

// "fd 5 eventfd" of the target: by what it is, as often as there are.
std::multimap<std::string, int> told_by(const std::string& output) {
  std::multimap<std::string, int> told;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    int fd = 0, length = 0;
    if (std::sscanf(line.c_str(), "fd %d %n", &fd, &length) == 1) told.emplace(line.substr(static_cast<std::size_t>(length)), fd);
  }
  return told;
}

int number_behind(const std::string& output, const std::string& word) {
  std::size_t at = output.find(word + " ");
  return at == output.npos ? -1 : std::stoi(output.substr(at + word.size() + 1));
}

class Kinds : public ::testing::Test {
 protected:
  Kinds() : program_({target_binary("descriptors"), "kinds", folder_.path()}) {}
  void SetUp() override {
    ASSERT_TRUE(program_.wait_for_output("ready"));
    told_ = told_by(program_.output());
    look_ = files_of(program_.pid());
  }
  json only(const std::string& kind) {
    EXPECT_EQ(told_.count(kind), 1u) << kind;
    auto found = told_.find(kind);
    return found == told_.end() ? json() : descriptor(look_, found->second);
  }

  TemporaryFolder folder_;
  Program program_;
  std::multimap<std::string, int> told_;
  json look_;
};

TEST_F(Kinds, AreThoseThatTheProgramOpened) {
  ASSERT_GT(told_.size(), 20u);
  for (const char* kind : {"file", "deleted file", "directory", "character device", "FIFO", "memfd", "pipe", "message queue", "eventfd", "epoll",
                           "inotify", "timerfd", "signalfd", "pidfd", "io_uring", "userfaultfd"}) {
    auto [from, to] = told_.equal_range(kind);
    for (auto one = from; one != to; ++one) EXPECT_EQ(descriptor(look_, one->second)["kind"], kind) << one->second;
  }
  EXPECT_EQ(look_["open"], look_["descriptors"].size());
}

TEST_F(Kinds, SayHowLargeAndHowFullTheyAre) {
  EXPECT_EQ(only("file")["name"], folder_.file("file"));
  EXPECT_EQ(only("deleted file")["size"], DESCRIPTORS_DELETED_BYTES);
  EXPECT_EQ(only("deleted file")["name"], folder_.file("deleted"));
  EXPECT_EQ(only("memfd")["size"], DESCRIPTORS_MEMFD_BYTES);
  EXPECT_EQ(only("memfd")["name"], "buffers");
  EXPECT_EQ(only("eventfd")["count"], DESCRIPTORS_EVENT_COUNT);
  EXPECT_EQ(only("epoll")["watched"].size(), 2u);
  EXPECT_EQ(only("inotify")["count"], 1);
  EXPECT_EQ(only("pidfd")["process"], program_.pid());
}

TEST_F(Kinds, SayWhichFileLocksTheyHold) {
  json fcntl_lock = {{"kind", "fcntl"},
                     {"writes", true},
                     {"from", DESCRIPTORS_LOCKED_FROM},
                     {"until", DESCRIPTORS_LOCKED_FROM + 9}};
  json of_file = {{"kind", "open file"}, {"writes", false}, {"from", 100}, {"until", nullptr}};
  json flock_lock = {{"kind", "flock"}, {"writes", true}, {"from", 0}, {"until", nullptr}};
  EXPECT_THAT(only("file")["locks"], ::testing::UnorderedElementsAre(fcntl_lock, of_file));
  EXPECT_EQ(only("deleted file")["locks"], json::array({flock_lock}));
  EXPECT_EQ(only("memfd")["locks"], json::array());
  EXPECT_THAT(text_of(program_.pid()), HasSubstr("locked to write (flock)"));
}

TEST_F(Kinds, OfSocketsHaveStatesPeersAndQueues) {
  if (look_["notes"].dump().find("inet_diag") != std::string::npos) GTEST_SKIP() << "this kernel has no diagnostics of TCP sockets";
  std::string listens_at = "127.0.0.1:" + std::to_string(number_behind(program_.output(), "port"));
  json listener = only("listener")["socket"], client = only("client")["socket"], accepted = only("accepted")["socket"];
  EXPECT_EQ(listener["state"], "LISTEN");
  EXPECT_EQ(listener["local"], listens_at);
  EXPECT_EQ(listener["receive_queue"], 1) << "one connection waits for accept";
  EXPECT_EQ(listener["send_queue"], DESCRIPTORS_BACKLOG);
  EXPECT_EQ(client["state"], "ESTABLISHED");
  EXPECT_EQ(client["peer"], listens_at);
  EXPECT_EQ(accepted["peer"], client["local"]);
  EXPECT_EQ(accepted["receive_queue"], DESCRIPTORS_UNREAD);
  EXPECT_EQ(only("UDP")["socket"]["protocol"], "UDP");
  EXPECT_EQ(only("named")["socket"]["local"], "@dwell-test-" + std::to_string(program_.pid()));
  EXPECT_EQ(only("netlink")["socket"]["protocol"], "netlink");
  json other_end = only("client")["other_end"];
  ASSERT_EQ(other_end.size(), 1u);
  EXPECT_EQ(other_end[0]["fd"], told_.find("accepted")->second);
}

TEST_F(Kinds, OfUnixSocketsKnowTheirOtherEnd) {
  if (look_["notes"].dump().find("unix_diag") != std::string::npos) GTEST_SKIP() << "this kernel has no diagnostics of UNIX sockets";
  auto [first, end] = told_.equal_range("pair");
  ASSERT_EQ(std::distance(first, end), 2);
  int one = first->second, other = std::next(first)->second;
  EXPECT_EQ(descriptor(look_, other)["socket"]["receive_queue"], 3);
  ASSERT_EQ(descriptor(look_, one)["other_end"].size(), 1u);
  EXPECT_EQ(descriptor(look_, one)["other_end"][0]["fd"], other);
}

TEST_F(Kinds, AreAllInTheTextOfAll) {
  std::string text = text_of(program_.pid(), {"--all"});
  for (const auto& [kind, fd] : told_) EXPECT_THAT(text, HasSubstr(" " + std::to_string(fd) + " "));
  EXPECT_THAT(text, HasSubstr("counts 7"));
  EXPECT_THAT(text, HasSubstr("watches 2 descriptors"));
}

TEST(Files, WhoElseHasThemAndWhoHasTheOtherEnd) {
  Program program({target_binary("descriptors"), "shared"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  int child = number_behind(program.output(), "child");
  json look = files_of(program.pid());
  json pipe = descriptor(look, number_behind(program.output(), "pipe"));
  ASSERT_EQ(pipe["other_end"].size(), 1u);
  EXPECT_EQ(pipe["other_end"][0]["pid"], child);
  EXPECT_TRUE(pipe["also_held_by"].empty()) << "the child closed its reading end";
  for (const char* shared : {"event", "listener"}) {
    json also = descriptor(look, number_behind(program.output(), shared))["also_held_by"];
    ASSERT_EQ(also.size(), 1u) << shared;
    EXPECT_EQ(also[0]["pid"], child);
  }
  EXPECT_THAT(text_of(program.pid()), HasSubstr("written by descriptors (" + std::to_string(child) + ")"));
}

TEST(Files, ConnectionsThatOnlyTheOtherSideHasClosedAreOneGroup) {
  Program program({target_binary("descriptors"), "left"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  json look = files_of(program.pid());
  json group = look["groups"][0];
  EXPECT_EQ(group["state"], "CLOSE_WAIT");
  EXPECT_EQ(group["count"], DESCRIPTORS_LEFT);
  EXPECT_GE(group["quiet_ns"], 100'000'000);
  ASSERT_EQ(look["findings"].size(), 1u);
  EXPECT_EQ(look["findings"][0]["weight"], "pile-up");
}

TEST(Files, OneThatIsNotThere) {
  Finished none = run({dwell_binary(), "files", "999999999"});
  EXPECT_EQ(none.exit, 3);
  EXPECT_THAT(none.errors, HasSubstr("999999999"));
}

}  // namespace
}  // namespace dwell::testing
