// SPDX-License-Identifier: Apache-2.0
// `dwell PID`: names what is wrong with a process, and is silent where nothing is.
#include <gmock/gmock.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "tests/end_to_end/harness.h"
#include "tests/targets/descriptors.h"

namespace dwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Checked {
  int exit;
  nlohmann::json findings;
  std::string text;
};

Checked check(pid_t pid) {
  Finished json = run({dwell_binary(), std::to_string(pid), "--json"});
  Finished text = run({dwell_binary(), "check", std::to_string(pid)});
  EXPECT_EQ(json.exit, text.exit) << json.errors << text.errors;
  nlohmann::json parsed = nlohmann::json::parse(json.output, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << json.output << json.errors;
  return {json.exit, parsed.is_discarded() ? nlohmann::json::array() : parsed["findings"], text.output};
}

TEST(Check, ADeadlockComesFirstAndIsProved) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("stuck_locks"), "ab_ba"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked;
  ASSERT_TRUE(eventually([&] { return (checked = check(program.pid())).exit == 8; })) << checked.text;
  ASSERT_FALSE(checked.findings.empty());
  EXPECT_EQ(checked.findings[0]["weight"], "stuck");
  EXPECT_EQ(checked.findings[0]["proved"], true);
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr("2 threads wait for each other"));
  EXPECT_THAT(checked.text, AllOf(HasSubstr("1  deadlock (certain)"), HasSubstr("dwell threads " + std::to_string(program.pid()))));
}

TEST(Check, DescriptorsNearTheirLimit) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("descriptors"), "near-limit"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked = check(program.pid());
  EXPECT_EQ(checked.exit, 0) << "a limit that is near proves nothing";
  ASSERT_EQ(checked.findings.size(), 1u) << checked.text;
  EXPECT_EQ(checked.findings[0]["weight"], "limit");
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr("of " + std::to_string(DESCRIPTORS_LIMIT) + " file descriptors are open"));
}

TEST(Check, ConnectionsThatOnlyTheOtherSideHasClosed) {
  DWELL_NEEDS_BPF();
  Program left({target_binary("descriptors"), "left"}), closed({target_binary("descriptors"), "closed"});
  ASSERT_TRUE(left.wait_for_output("ready"));
  ASSERT_TRUE(closed.wait_for_output("ready"));
  Checked checked = check(left.pid());
  ASSERT_EQ(checked.findings.size(), 1u) << checked.text;
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr(std::to_string(DESCRIPTORS_LEFT) + " TCP connections"));
  EXPECT_TRUE(check(closed.pid()).findings.empty());
}

#ifdef DWELL_HAS_GO
TEST(Check, GoroutinesThatCanNeverWake) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("go/leaks"), "receiver"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked = check(program.pid());
  EXPECT_EQ(checked.exit, 8) << checked.text;
  ASSERT_FALSE(checked.findings.empty());
  EXPECT_THAT(checked.findings[0]["headline"].get<std::string>(), HasSubstr("can never wake"));
  EXPECT_THAT(checked.findings[0]["command"].get<std::string>(), HasSubstr("dwell go"));
}
#endif

TEST(Check, AFullPipeBetweenTwoProcessesThatWaitForEachOther) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("process_circles"), "full_pipe"});
  ASSERT_TRUE(program.wait_for_output("child "));
  Checked checked;
  ASSERT_TRUE(eventually([&] { return (checked = check(program.pid())).exit == 8; })) << checked.text;
  EXPECT_EQ(checked.findings[0]["weight"], "stuck");
  EXPECT_THAT(checked.text, AllOf(HasSubstr("the_child"), HasSubstr("pipe")));
}

TEST(Check, WhoeverWaitsForALockWhoseHolderHasEnded) {
  DWELL_NEEDS_BPF();
  Program program({target_binary("stuck_locks"), "owner_ended"});
  ASSERT_TRUE(program.wait_for_output("ready"));
  Checked checked;
  ASSERT_TRUE(eventually([&] { return (checked = check(program.pid())).exit == 8; })) << checked.text;
  EXPECT_EQ(checked.findings[0]["weight"], "stuck");
}

// What goes wrong, a program each: the cause comes first, in words that name it.
struct Incident {
  std::vector<std::string> program;  // below the folder of targets
  std::string weight;                // "": nothing is wrong
  std::vector<std::string> words;    // in the first finding and its evidence
  bool works_when_told = false;      // between a line to it and "done"
  int exit = 0;
};

void PrintTo(const Incident& incident, std::ostream* out) { *out << incident.program.front() << " " << incident.program.back(); }

std::string first_in_words(const nlohmann::json& findings) {
  std::string all = findings[0]["headline"].get<std::string>();
  for (const nlohmann::json& sentence : findings[0]["evidence"]) all += "\n" + sentence.get<std::string>();
  return all;
}

class Incidents : public ::testing::TestWithParam<Incident> {};

TEST_P(Incidents, AreNamedFirst) {
  DWELL_NEEDS_BPF();
  std::vector<std::string> command = GetParam().program;
  command[0] = target_binary(command[0]);
  Program program(command);
  ASSERT_TRUE(program.wait_for_output("ready"));
  if (GetParam().works_when_told) {
    program.write_line("");
    ASSERT_TRUE(program.wait_for_output("done"));
  }
  nlohmann::json findings;
  Finished looked;
  auto is_named = [&] {
    looked = run({dwell_binary(), std::to_string(program.pid()), "--json"});
    findings = nlohmann::json::parse(looked.output, nullptr, false)["findings"];
    if (GetParam().weight.empty()) return findings.empty();
    if (findings.empty() || findings[0]["weight"] != GetParam().weight) return false;
    return std::ranges::all_of(GetParam().words, [&](const std::string& words) { return first_in_words(findings).find(words) != std::string::npos; });
  };
  EXPECT_TRUE(eventually(is_named, std::chrono::seconds(60))) << looked.output << looked.errors;
  EXPECT_EQ(looked.exit, GetParam().exit);
}

INSTANTIATE_TEST_SUITE_P(OfMemory, Incidents, ::testing::Values(
    Incident{{"memory_cases", "leak_and_cache"}, "pile-up", {" are leaked: nothing points to them any more"}, true},
    Incident{{"memory_cases", "fragments"}, "waste", {" RSS are free memory that the allocator keeps", "fragmentation: "}, true},
    Incident{{"memory_cases", "cache"}, "", {}, true}));

INSTANTIATE_TEST_SUITE_P(OfThreads, Incidents, ::testing::Values(
    Incident{{"stuck_locks", "never_signalled"}, "stuck", {"no thread is left that could wake these 2 threads"}, false, 8},
    Incident{{"spinning", "spin"}, "waste", {"spinning (likely)"}},
    Incident{{"spinning", "busy"}, "", {}}));

#ifdef DWELL_HAS_GO
INSTANTIATE_TEST_SUITE_P(OfGoroutines, Incidents, ::testing::Values(
    Incident{{"go/contexts"}, "pile-up", {"contexts were never cancelled, and nobody can cancel them any more", "contexts.go:"}, false, 8},
    Incident{{"go/contexts", "kept"}, "", {}}));
#endif

// Threads that wait for work, and a thread that works without a pause: neither is wrong.
TEST(Check, NothingIsWrongWithPoolsThatAreIdleOrBusy) {
  DWELL_NEEDS_BPF();
  for (const char* scenario : {"idle_pool", "running", "naps"}) {
    Program program({target_binary("stuck_threads"), scenario});
    ASSERT_TRUE(program.wait_for_output("ready")) << scenario;
    Checked checked = check(program.pid());
    EXPECT_TRUE(checked.findings.empty()) << scenario << "\n" << checked.text;
  }
}

// Servers as they are installed, idle.
class Healthy : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  void expect_silence(const std::vector<std::string>& command, int port) {
    Program server(command);
    ASSERT_TRUE(eventually([&] { return listens(server.pid(), port); })) << command[0] << " " << server.describe() << server.errors();
    Checked checked = check(server.pid());
    EXPECT_EQ(checked.exit, 0);
    EXPECT_TRUE(checked.findings.empty()) << command[0] << "\n" << checked.text;
    EXPECT_THAT(checked.text, HasSubstr("Nothing wrong was found."));
  }

  // Any of the process's own sockets, by /proc/net/tcp of its network.
  static bool listens(pid_t pid, int port) {
    std::ifstream table("/proc/" + std::to_string(pid) + "/net/tcp");
    char wanted[8];
    std::snprintf(wanted, sizeof wanted, ":%04X", static_cast<unsigned>(port));
    for (std::string line; std::getline(table, line);)
      if (line.find(std::string(wanted) + " 00000000:0000 0A") != std::string::npos) return true;
    return false;
  }
  // One that nobody uses now.
  static int free_port() {
    int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(socket);
    return ntohs(address.sin_port);
  }
  static bool is_installed(const std::string& program) { return run({"sh", "-c", "command -v " + program}).exit == 0; }

  TemporaryFolder folder_;
};

TEST_F(Healthy, Redis) {
  if (!is_installed("redis-server")) GTEST_SKIP() << "redis-server is not installed";
  int port = free_port();
  expect_silence({"redis-server", "--port", std::to_string(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder_.path()}, port);
}

TEST_F(Healthy, Memcached) {
  if (!is_installed("memcached")) GTEST_SKIP() << "memcached is not installed";
  int port = free_port();
  expect_silence({"memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", std::to_string(port), "-U", "0"}, port);
}

TEST_F(Healthy, Python) {
  int port = free_port();
  expect_silence({"python3", "-m", "http.server", std::to_string(port), "--bind", "127.0.0.1", "--directory", folder_.path()}, port);
}

TEST_F(Healthy, Node) {
  if (!is_installed("node")) GTEST_SKIP() << "node is not installed";
  int port = free_port();
  expect_silence({"node", "-e", "require('http').createServer((q, a) => a.end('x')).listen(" + std::to_string(port) + ", '127.0.0.1')"}, port);
}

TEST_F(Healthy, Nginx) {
  if (!is_installed("nginx")) GTEST_SKIP() << "nginx is not installed";
  int port = free_port();
  std::ofstream(folder_.file("nginx.conf")) << "daemon off; master_process off; pid " << folder_.file("pid") << "; error_log /dev/null; events {} http { access_log off; server { listen 127.0.0.1:" << port << "; } }";
  expect_silence({"nginx", "-p", folder_.path(), "-c", folder_.file("nginx.conf")}, port);
}

TEST(Check, NothingIsWrongWithAProgramThatWaitsForItsInput) {
  DWELL_NEEDS_BPF();
  Program program({"cat"});
  Checked checked = check(program.pid());
  EXPECT_EQ(checked.exit, 0);
  EXPECT_TRUE(checked.findings.empty()) << checked.text;
  EXPECT_THAT(checked.text, AllOf(HasSubstr("Nothing wrong was found."), HasSubstr("1 thread, 1 sleeping"), HasSubstr("RSS ")));
}

TEST(Check, OneThatIsNotThere) {
  Finished none = run({dwell_binary(), "999999999"});
  EXPECT_EQ(none.exit, 3) << none.errors;
  EXPECT_THAT(none.errors, HasSubstr("999999999"));
  EXPECT_EQ(run({dwell_binary(), "check"}).exit, 2);
}

}  // namespace
}  // namespace dwell::testing
