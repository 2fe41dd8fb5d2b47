// SPDX-License-Identifier: Apache-2.0
// Reports on a terminal go through the user's pager, whatever that is; they lose nothing by it.
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/end_to_end/harness.h"
#include "userspace/base/files.h"
#include "userspace/base/result.h"

namespace dwell::testing {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

// Runs it on a terminal of its own, 80 columns wide, until it ends; all that the terminal shows, without carriage returns.
Finished on_terminal(const std::vector<std::string>& command, const Environment& environment) {
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  pid_t pid = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) {
    for (const char* name : {"DWELL_PAGER", "PAGER", "NO_COLOR", "COLUMNS"}) ::unsetenv(name);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  Finished finished{-1, "", ""};
  char buffer[4096];
  constexpr int kMilliseconds = 60'000;
  for (pollfd shown{terminal, POLLIN, 0}; ::poll(&shown, 1, kMilliseconds) > 0;) {
    ssize_t n = ::read(terminal, buffer, sizeof buffer);  // EIO: nobody has it open any more
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; ++i)
      if (buffer[i] != '\r') finished.output += buffer[i];
  }
  ::close(terminal);  // whoever still reads it ends by that
  int status = 0;
  if (::waitpid(pid, &status, 0) == pid) finished.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

// Of a recording that is kept as the golden one.
std::vector<std::string> report_command(const std::vector<std::string>& more = {}) {
  std::vector<std::string> command = {dwell_binary(), "report", DWELL_GOLDEN_RECORDING};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

std::size_t lines_of(const std::string& text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

class Pager : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { plain = on_terminal(report_command({"--no-pager"}), {{"DWELL_PAGER", "sed s/^/PAGED/"}}); }
  static Finished plain;
};
Finished Pager::plain;

TEST_F(Pager, ShowsTheWholeReportInColourAndAsWideAsTheTerminal) {
  ASSERT_EQ(plain.exit, 0);
  ASSERT_EQ(plain.output.find("PAGED"), std::string::npos) << "--no-pager";
  ASSERT_NE(plain.output.find("\x1b["), std::string::npos);
  Finished paged = on_terminal(report_command(), {{"DWELL_PAGER", "sed s/^/PAGED/"}, {"PAGER", "false"}});
  EXPECT_EQ(paged.exit, 0);
  std::string expected;
  for (std::size_t at = 0, end; (end = plain.output.find('\n', at)) != std::string::npos; at = end + 1)
    expected += "PAGED" + plain.output.substr(at, end + 1 - at);
  EXPECT_EQ(paged.output, expected);
}

TEST_F(Pager, ThatIsMissingOrUnwantedCostsNothing) {
  for (const char* pager : {"/no/such/pager", "dwell-no-such-pager -R", "", "cat"}) {
    Finished shown = on_terminal(report_command(), {{"DWELL_PAGER", pager}});
    EXPECT_EQ(shown.exit, 0) << pager;
    EXPECT_TRUE(shown.output.ends_with(plain.output)) << "'" << pager << "'\n" << shown.output;
  }
}

TEST_F(Pager, ThatEndsEarlyIsNoError) {
  Finished shown = on_terminal(report_command({"--sites", "1000"}), {{"DWELL_PAGER", "head -n 1"}});
  EXPECT_EQ(shown.exit, 0);
  EXPECT_EQ(lines_of(shown.output), 1u) << shown.output;
}

// dwell gives up its rights and limits its memory before it reads a file. The pager is the user's own.
TEST_F(Pager, IsNotHeldToDwellsLimits) {
  TemporaryFolder folder;
  std::string copy = folder.file("copy");
  std::string pager = "{ ulimit -d; cat /proc/self/oom_score_adj; cat; } >" + copy;
  Finished shown = on_terminal(report_command({"--max-memory", "400M"}), {{"DWELL_PAGER", pager}});
  EXPECT_EQ(shown.exit, 0) << shown.output;
  Result<std::string> content = read_file(copy);
  ASSERT_TRUE(content) << content.error().what << shown.output;
  Result<std::string> own = read_file("/proc/self/oom_score_adj");
  ASSERT_TRUE(own) << own.error().what;
  EXPECT_TRUE(content->starts_with("unlimited\n" + *own)) << content->substr(0, 100);
  EXPECT_EQ(lines_of(*content), lines_of(plain.output) + 2);
}

TEST_F(Pager, LeavesTheExitCodeAndErrorsAlone) {
  Finished failed = on_terminal({dwell_binary(), "report", "/no/such/file"}, {{"DWELL_PAGER", "sed s/^/PAGED/"}});
  EXPECT_NE(failed.exit, 0);
  EXPECT_NE(failed.output.find("dwell: "), std::string::npos) << failed.output;
  EXPECT_EQ(failed.output.find("PAGED"), std::string::npos) << failed.output;
  EXPECT_EQ(on_terminal(report_command(), {{"DWELL_PAGER", "cat; exit 3"}}).exit, 0);
}

TEST_F(Pager, IsThereForTerminalsOnly) {
  Program piped(report_command(), {"DWELL_PAGER=sed s/^/PAGED/"});
  EXPECT_EQ(piped.wait(), 0);
  EXPECT_EQ(piped.output().find("PAGED"), std::string::npos);
  EXPECT_NE(piped.output().find('\n'), std::string::npos);
}

TEST_F(Pager, ShowsWhatIsWrongAndTheExitCodeSaysIt) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("stuck_locks"), "ab_ba"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string pid = std::to_string(target.pid());
  ASSERT_TRUE(eventually([&] { return run({dwell_binary(), "threads", pid}).exit == static_cast<int>(Exit::kFound); }));
  Finished shown = on_terminal({dwell_binary(), "threads", pid}, {{"DWELL_PAGER", "sed s/^/PAGED/"}});
  EXPECT_EQ(shown.exit, static_cast<int>(Exit::kFound));
  EXPECT_NE(shown.output.find("PAGED"), std::string::npos);
  EXPECT_NE(shown.output.find("Deadlock"), std::string::npos) << shown.output;
}

}  // namespace
}  // namespace dwell::testing
