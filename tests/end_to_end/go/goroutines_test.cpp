// SPDX-License-Identifier: Apache-2.0
// Goroutines seen from outside, against Go's own account of the same process at the same moment.
// DWELL_GO_STUCK may name more builds of the target (of other versions of Go), with colons between them.
#include <elf.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "tests/end_to_end/go/account.h"
#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/go/goroutines/report.h"

namespace dwell::testing {
namespace {

std::vector<std::string> targets() {
  std::vector<std::string> result;
  for (const char* name : {"stuck", "stuck_stripped", "stuck_pie"})
    result.push_back(target_binary(std::string("go/") + name));
  if (const char* more = std::getenv("DWELL_GO_STUCK"))
    for (std::string_view path : split(more, ':')) result.emplace_back(path);
  return result;
}

std::string traceback_of(Program& target) {
  std::size_t before = target.output().size();
  target.write_line("account");
  EXPECT_TRUE(target.wait_for_output("end of account"));
  return target.output().substr(before);
}

class Goroutines : public ::testing::TestWithParam<std::string> {};

TEST_P(Goroutines, EqualTheRuntimesOwnAccount) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Accounts seen = look(*runtime);
  Accounts own = parse_traceback(traceback_of(target));
  EXPECT_GT(own.size(), 100u);
  EXPECT_EQ(seen.size(), own.size());
  for (const auto& [id, account] : own) {
    if (id == 1) continue;  // it writes the account now
    ASSERT_TRUE(seen.count(id)) << id << " " << text_of(account);
    EXPECT_EQ(seen[id].state, account.state) << id;
    EXPECT_TRUE(same_stack(account, seen[id]))
        << id << " its own: " << text_of(account) << "seen: " << text_of(seen[id]);
  }
}

const GoroutineGroup* group_in(const GoroutineReport& report, const std::string& function,
                               const std::string& state = "") {
  for (const GoroutineGroup& group : report.groups) {
    for (const GoCall& call : group.calls) {
      if (call.function == function && (state.empty() || group.state == state)) return &group;
    }
  }
  return nullptr;
}

// By the line of code on which it was started, which the source tells with a mark.
const GoroutineGroup* started_at(const GoroutineReport& report, const std::string& mark) {
  std::istringstream source(*read_file(DWELL_GO_SOURCES "/stuck.go"));
  std::uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.find("// " + mark) == std::string::npos) continue;
    for (const GoroutineGroup& group : report.groups) {
      if (group.creator.line == number) return &group;
    }
  }
  return nullptr;
}

TEST_P(Goroutines, TellWhatTheyWaitFor) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Result<GoroutineReport> report = look_at_goroutines(*runtime);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->figures.broken + report->figures.moved + report->figures.unreadable, 0u);

  const GoroutineGroup* receivers = group_in(*report, "main.receiveForever", "chan receive");
  ASSERT_TRUE(receivers);
  EXPECT_EQ(receivers->count, 100u);
  ASSERT_EQ(receivers->examples.size(), GoroutineGroup::kMostExamples);
  ASSERT_EQ(receivers->examples[0].wait.channels.size(), 1u);
  GoChannel unbuffered = receivers->examples[0].wait.channels[0];
  EXPECT_FALSE(unbuffered.sends);
  EXPECT_EQ(unbuffered.capacity, 0u);
  EXPECT_EQ(unbuffered.receivers, 105u);  // 100, three by other ways, one deep down, a case of the select
  EXPECT_EQ(unbuffered.senders, 0u);

  const GoroutineGroup* senders = group_in(*report, "main.sendForever");
  ASSERT_TRUE(senders);
  EXPECT_EQ(senders->count, 5u);
  ASSERT_EQ(senders->examples[0].wait.channels.size(), 1u);
  GoChannel full = senders->examples[0].wait.channels[0];
  EXPECT_TRUE(full.sends);
  EXPECT_EQ(full.length, 2u);
  EXPECT_EQ(full.capacity, 2u);
  EXPECT_EQ(full.senders, 6u);

  const GoroutineGroup* select = started_at(*report, "select of three");
  ASSERT_TRUE(select);
  const std::vector<GoChannel>& cases = select->examples[0].wait.channels;
  ASSERT_EQ(cases.size(), 3u);
  std::set<std::pair<std::uint64_t, bool>> wanted;
  for (const GoChannel& one : cases) wanted.emplace(one.address, one.sends);
  EXPECT_TRUE(wanted.count({unbuffered.address, false}));
  EXPECT_TRUE(wanted.count({full.address, true}));

  auto lock = [&](const std::string& mark) {
    const GoroutineGroup* group = started_at(*report, mark);
    if (!group || group->examples.size() != 1 || !group->examples[0].wait.lock) return std::string("none");
    return group->examples[0].wait.lock->kind + ": " + group->examples[0].wait.lock->state;
  };
  EXPECT_EQ(lock("mutex"), "sync.Mutex: locked, 1 wait");
  EXPECT_EQ(lock("reader"), "sync.RWMutex: a writer has it or waits for it, readers: 1");
  EXPECT_EQ(lock("writer"), "sync.RWMutex: a writer has it or waits for it, readers: 1");  // not the mutex inside
  EXPECT_EQ(lock("group"), "sync.WaitGroup: 3 not done, 1 wait");

  const GoroutineGroup* reader = started_at(*report, "network");
  ASSERT_TRUE(reader);
  ASSERT_TRUE(reader->examples[0].wait.descriptor);
  EXPECT_FALSE(reader->examples[0].wait.descriptor->writes);
  EXPECT_NE(target.output().find("client descriptor " +
                                 std::to_string(reader->examples[0].wait.descriptor->fd) + "\n"),
            std::string::npos)
      << target.output();

  const GoroutineGroup* sleeper = started_at(*report, "sleep");
  ASSERT_TRUE(sleeper);
  ASSERT_TRUE(sleeper->examples[0].wait.until_ns);
  double left = static_cast<double>(*sleeper->examples[0].wait.until_ns - report->time_monotonic_ns) / 1e9;
  EXPECT_GT(left, 7000);
  EXPECT_LE(left, 7200);

  const GoroutineGroup* labelled = started_at(*report, "labels");
  ASSERT_TRUE(labelled);
  GoLabels expected = {{"phase", "wait"}, {"request", "42"}, {"tenant", "blue"}};
  EXPECT_EQ(labelled->examples[0].labels, expected);
}

INSTANTIATE_TEST_SUITE_P(Targets, Goroutines, ::testing::ValuesIn(targets()), name_of_build);

// A copy of the stripped target with its bytes changed.
std::string changed_target(const TemporaryFolder& folder, const std::function<void(std::string&)>& change) {
  std::string bytes = *read_file(target_binary("go/stuck_stripped"));
  change(bytes);
  std::string path = folder.file("changed");
  std::ofstream(path, std::ios::binary) << bytes;
  ::chmod(path.c_str(), 0755);
  return path;
}

void replace_all(std::string& bytes, const std::string& from, const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 1))
    bytes.replace(at, from.size(), to);
}

std::string version_of_go() {
  Program target({target_binary("go/stuck_stripped")});
  EXPECT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  return runtime ? runtime->module().version : "";
}

void without_sections(std::string& bytes) {
  auto* header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
  header->e_shoff = 0;
  header->e_shnum = header->e_shstrndx = 0;
}

TEST(GoRecognition, NeedsNoSectionsAndNoBuildInformation) {
  TemporaryFolder folder;
  std::string path = changed_target(folder, [](std::string& bytes) {
    without_sections(bytes);
    replace_all(bytes, "\xff Go buildinf:", "\xff No buildinf:");
  });
  Program target({path});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  EXPECT_EQ(runtime->module().version, version_of_go());
  EXPECT_EQ(look(*runtime).size(), parse_traceback(traceback_of(target)).size());
}

// This Go's version with another minor number, "go1.16.8", and a program that says to be of it.
struct OtherVersion {
  std::string version, path;
  OtherVersion(const TemporaryFolder& folder, const std::string& minor) : version(version_of_go()) {
    std::string own = version;
    version.replace(4, 2, minor);
    path = changed_target(folder, [&](std::string& bytes) { replace_all(bytes, own, version); });
  }
};

TEST(GoRecognition, TriesTheLayoutsItKnowsOnAVersionItDoesNot) {
  TemporaryFolder folder;
  OtherVersion unknown(folder, "99");
  Program target({unknown.path});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  EXPECT_EQ(runtime->module().version, unknown.version);
  EXPECT_NE(runtime->note(), "");
  Accounts seen = look(*runtime);
  for (const auto& [id, account] : parse_traceback(traceback_of(target))) {
    if (id == 1) continue;
    EXPECT_TRUE(same_stack(account, seen[id])) << text_of(account) << text_of(seen[id]);
  }
}

TEST(GoRecognition, RefusesALayoutThatDoesNotFit) {
  TemporaryFolder folder;
  OtherVersion other(folder, *go_minor_of(version_of_go()) == 24 ? "26" : "24");
  Program target({other.path});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_FALSE(runtime);
  EXPECT_EQ(runtime.error().exit, Exit::kUnsupported);
  EXPECT_NE(runtime.error().what.find("do not look like those of " + other.version), std::string::npos)
      << runtime.error().what;
}

TEST(GoRecognition, RefusesOlderVersionsByName) {
  TemporaryFolder folder;
  OtherVersion older(folder, "16");
  Program target({older.path});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_FALSE(runtime);
  EXPECT_NE(runtime.error().what.find(older.version + " is older than Go 1.18"), std::string::npos)
      << runtime.error().what;
}

// `dwell PID` does not pass over it as if it were no Go program.
TEST(GoRecognition, TheOverviewSaysWhatItCouldNotLookAt) {
  TemporaryFolder folder;
  OtherVersion older(folder, "16");
  Program target({older.path});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished checked = run({dwell_binary(), "check", std::to_string(target.pid())});
  EXPECT_NE(checked.output.find("not looked at: goroutines: "), std::string::npos) << checked.output << checked.errors;
  EXPECT_NE(checked.output.find(older.version + " is older than Go 1.18"), std::string::npos) << checked.output;
}

// 1.18 and 1.20: goroutines, but no proof. The overview has the ones and says why not the other.
TEST(GoRecognition, TheOverviewKeepsTheGoroutinesWhereTheProofCanNotBeMade) {
  TemporaryFolder folder;
  OtherVersion other(folder, "18");
  Program target({other.path});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished checked = run({dwell_binary(), "check", std::to_string(target.pid())});
  EXPECT_NE(checked.output.find("not looked at: "), std::string::npos) << checked.output << checked.errors;
  EXPECT_NE(checked.output.find(other.version), std::string::npos) << checked.output;
}

TEST(GoRecognition, SaysThatOtherProgramsAreNone) {
  Result<GoRuntime> runtime = GoRuntime::attach(::getpid());
  ASSERT_FALSE(runtime);
  EXPECT_EQ(runtime.error().exit, Exit::kUnsupported);
  EXPECT_NE(runtime.error().what.find("is no Go program"), std::string::npos) << runtime.error().what;
}

}  // namespace
}  // namespace dwell::testing
