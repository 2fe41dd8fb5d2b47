// SPDX-License-Identifier: Apache-2.0
// One look command at several processes: each under its own heading, the exit code of the gravest.
#include "tests/end_to_end/harness.h"
#include "userspace/base/result.h"

namespace dwell::testing {
namespace {

using nlohmann::json;

std::string pid_of(const Program& program) { return std::to_string(program.pid()); }

TEST(SeveralProcesses, EachHasItsOwnHeading) {
  Program one({target_binary("leaking_service")}), other({target_binary("leaking_service")});
  Finished looked = run({dwell_binary(), "memory", pid_of(one), pid_of(other)});
  EXPECT_EQ(looked.exit, 0) << looked.errors;
  std::size_t first = looked.output.find("leaking_service (" + pid_of(one) + ")");
  std::size_t second = looked.output.find("\n\nleaking_service (" + pid_of(other) + ")");
  EXPECT_EQ(first, 0u) << looked.output;
  ASSERT_NE(second, std::string::npos) << looked.output;
}

TEST(SeveralProcesses, AreOneJsonDocumentWithThoseThatFailed) {
  Program one({target_binary("leaking_service")});
  std::string gone = std::to_string(0x7ffffff0);
  Finished looked = run({dwell_binary(), "memory", "--json", "-p", pid_of(one) + "," + gone, pid_of(one)});
  EXPECT_EQ(looked.exit, static_cast<int>(Exit::kNoTarget));
  EXPECT_NE(looked.errors.find("no such process"), std::string::npos) << looked.errors;
  json all = json::parse(looked.output, nullptr, false);
  ASSERT_FALSE(all.is_discarded()) << looked.output;
  EXPECT_EQ(all["format"], "dwell looks");
  EXPECT_EQ(all["subject"], "memory");
  ASSERT_EQ(all["processes"].size(), 3u);
  EXPECT_EQ(all["processes"][0]["process"]["pid"], one.pid());
  EXPECT_EQ(all["processes"][1]["target"], gone);
  EXPECT_EQ(all["processes"][1]["exit"], 3);
  EXPECT_EQ(all["processes"][2]["process"]["pid"], one.pid());
  // One process is the document that it always was.
  json alone = json::parse(run({dwell_binary(), "memory", "--json", pid_of(one)}).output, nullptr, false);
  EXPECT_EQ(alone["process"]["pid"], one.pid());
}

TEST(SeveralProcesses, TheGravestIsTheExitCode) {
  DWELL_NEEDS_BPF();
  Program stuck({target_binary("stuck_locks"), "ab_ba"}), healthy({target_binary("leaking_service")});
  ASSERT_TRUE(stuck.wait_for_output("ready"));
  auto looked = [&](const std::vector<std::string>& pids) {
    std::vector<std::string> command = {dwell_binary(), "threads"};
    command.insert(command.end(), pids.begin(), pids.end());
    return run(command);
  };
  std::string gone = std::to_string(0x7ffffff0);
  ASSERT_TRUE(eventually([&] { return looked({pid_of(stuck)}).exit == static_cast<int>(Exit::kFound); }));
  EXPECT_EQ(looked({pid_of(healthy), pid_of(stuck)}).exit, 8);
  EXPECT_EQ(looked({pid_of(stuck), pid_of(healthy)}).exit, 8);
  EXPECT_EQ(looked({pid_of(healthy), gone}).exit, 3);
  Finished all = looked({gone, pid_of(stuck), pid_of(healthy)});
  EXPECT_EQ(all.exit, 8);
  EXPECT_NE(all.output.find("stuck_locks (" + pid_of(stuck) + ")"), std::string::npos);
  EXPECT_NE(all.output.find("leaking_service (" + pid_of(healthy) + ")"), std::string::npos);
}

}  // namespace
}  // namespace dwell::testing
