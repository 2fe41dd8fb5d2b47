// SPDX-License-Identifier: Apache-2.0
// dwell as an ordinary user with capabilities: with all of the list everything works, without one of them a command
// works, says what is missing from what it tells, or refuses, and names that one.
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "userspace/base/privileges.h"
#include "userspace/base/result.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kNobody = "65534";

// A copy that an ordinary user can reach, a folder where they may write, and targets of root's.
class WithoutRoot : public ::testing::Test {
 protected:
  WithoutRoot() {
    ::chmod(folder_.path().c_str(), 0755);
    std::filesystem::create_directory(folder_.file("out"));
    ::chmod(folder_.file("out").c_str(), 0777);
    std::filesystem::copy_file(dwell_binary(), folder_.file("dwell"));
    ::chmod(folder_.file("dwell").c_str(), 0755);
  }

  // `capabilities` as setpriv wants them: "+bpf,+perfmon".
  Finished as_nobody(const std::string& capabilities, std::vector<std::string> arguments) {
    std::vector<std::string> command{"setpriv", "--reuid", kNobody, "--regid", kNobody, "--clear-groups"};
    if (!capabilities.empty())
      for (const char* set : {"--inh-caps", "--ambient-caps"}) command.insert(command.end(), {set, capabilities});
    // setpriv itself still may everything: the shell between starts dwell as who it has become.
    command.insert(command.end(), {"--", "sh", "-c", "exec \"$@\"", "sh", folder_.file("dwell")});
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command);
  }

  std::string out(const std::string& name) { return folder_.file("out/" + name); }
  std::string pid(Program& program) { return std::to_string(program.pid()); }

  TemporaryFolder folder_;
};

std::string all_but(const char* without = "") {
  std::string list;
  for (const Privilege& privilege : privileges()) {
    if (std::string(privilege.name) == without) continue;
    std::string name = std::string(privilege.name).substr(4);
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    list += (list.empty() ? "+" : ",+") + name;
  }
  return list;
}

struct Command {
  const char* name;
  std::vector<std::string> arguments;
};

TEST_F(WithoutRoot, WithTheListEveryCommandWorks) {
  DWELL_NEEDS_BPF();
  Program service({target_binary("leaking_service"), "600"});
  std::string of = pid(service), file = out("a.dwell"), other = out("b.dwell");
  std::vector<Command> commands{
      {"doctor", {"doctor", "-p", of}},
      {"record", {"record", "-p", of, "-d", "500ms", "--blocked", "--clocks", "-q", "-o", file}},
      {"record a command", {"record", "-q", "-o", other, "--", "/bin/ls", "/"}},
      {"threads", {"threads", "-p", of, "-k"}},
      {"clocks", {"clocks", "-p", of, "-d", "300ms"}},
  };
  for (const Command& command : commands) {
    Finished done = as_nobody(all_but(), command.arguments);
    EXPECT_EQ(done.exit, 0) << command.name << ": " << done.errors << done.output;
    EXPECT_THAT(done.output, Not(HasSubstr("missing: "))) << command.name;
    // Doctor also tries perf uprobes, which newer kernels keep for CAP_SYS_ADMIN; links of many probes do without.
    if (std::string(command.name) != "doctor")
      EXPECT_THAT(done.output, Not(HasSubstr("Permission denied"))) << command.name;
  }
  for (const Command& command : std::vector<Command>{{"report", {"report", file}},
                                                     {"export", {"export", file, "-o", out("a.svg")}},
                                                     {"diff", {"diff", file, other}},
                                                     {"symbolize", {"symbolize", file, "-o", out("c.dwell")}}}) {
    Finished done = as_nobody("", command.arguments);
    EXPECT_EQ(done.exit, 0) << command.name << ": " << done.errors;
  }
  nlohmann::json recorded = report(file);
  EXPECT_GT(recorded["cost"]["probe_hits"], 0);
  expect_nothing_lost(recorded);
}

// Newer kernels open perf uprobes for CAP_SYS_ADMIN alone: that is named, and no security module is blamed.
TEST_F(WithoutRoot, PerfUprobesWorkOrNameWhatTheyNeed) {
  DWELL_NEEDS_BPF();
  Program service({target_binary("leaking_service"), "600"});
  std::vector<std::string> arguments{"record", "-p", pid(service), "-d", "200ms", "-q", "--attach-method", "perf", "-o"};
  auto with = [&](const std::string& file) {
    std::vector<std::string> all = arguments;
    all.push_back(file);
    return all;
  };
  Finished listed = as_nobody(all_but(), with(out("a.dwell")));
  if (listed.exit != 0) {
    EXPECT_THAT(listed.errors, HasSubstr("grant CAP_SYS_ADMIN"));
    EXPECT_THAT(listed.errors, Not(HasSubstr("security module")));
  }
  Finished granted = as_nobody(all_but() + ",+sys_admin", with(out("b.dwell")));
  EXPECT_EQ(granted.exit, 0) << granted.errors;
}

// What only CAP_SYS_ADMIN may have counted is not known, which is not 0.
TEST_F(WithoutRoot, TheTimeInBpfIsNotKnownAndNotZero) {
  DWELL_NEEDS_BPF();
  std::ifstream counted("/proc/sys/kernel/bpf_stats_enabled");
  if (counted.get() == '1') GTEST_SKIP() << "this machine counts the run time of BPF programs for everybody";
  Program service({target_binary("leaking_service"), "600"});
  std::string file = out("a.dwell");
  ASSERT_EQ(as_nobody(all_but(), {"record", "-p", pid(service), "-d", "500ms", "-q", "-o", file}).exit, 0);
  nlohmann::json recorded = report(file)["cost"];
  EXPECT_GT(recorded["trap_ns"], 0);
  // Somebody else on this machine may have it counted at the same time.
  EXPECT_TRUE(recorded["bpf_ns"].is_null() || recorded["bpf_ns"] > 0) << recorded;
  EXPECT_EQ(as_nobody("", {"report", file}).output.find("time in BPF not known") != std::string::npos,
            recorded["bpf_ns"].is_null());
  Finished clocks = as_nobody(all_but(), {"clocks", "-p", pid(service), "-d", "300ms", "--json"});
  ASSERT_EQ(clocks.exit, 0) << clocks.errors;
  nlohmann::json cost = nlohmann::json::parse(clocks.output)["cost"];
  EXPECT_TRUE(cost["bpf_ns"].is_null() || cost["bpf_ns"] > 0 || cost["probe_hits"] == 0) << cost;

  std::string by_root = folder_.file("root.dwell");
  // Within a budget there may be no window in a second: of what never ran nothing is known.
  ASSERT_EQ(run({dwell_binary(), "record", "-p", pid(service), "-d", "1s", "-q", "--exact", "-o", by_root}).exit, 0);
  EXPECT_TRUE(report(by_root)["cost"]["bpf_ns"].is_number()) << "root's recording knows it";
}

TEST_F(WithoutRoot, WithoutOneOfThemACommandWorksOrNamesIt) {
  DWELL_NEEDS_BPF();
  Program service({target_binary("leaking_service"), "600"});
  Program reader({"cat"});  // waits for a pipe
  for (const Privilege& privilege : privileges()) {
    std::string held = all_but(privilege.name);
    std::vector<Command> commands{
        {"doctor", {"doctor", "-p", pid(service)}},
        {"record", {"record", "-p", pid(service), "-d", "200ms", "-q", "-o", out("a.dwell")}},
        {"record a command", {"record", "-q", "-o", out("b.dwell"), "--", "/bin/ls", "/"}},
        {"threads", {"threads", "-p", pid(reader), "-k"}},
        {"clocks", {"clocks", "-p", pid(service), "-d", "200ms"}},
    };
    for (const Command& command : commands) {
      Finished done = as_nobody(held, command.arguments);
      std::string said = done.output + done.errors;
      SCOPED_TRACE(std::string(command.name) + " without " + privilege.name + ": " + said);
      bool refused = done.exit != 0;
      bool complained = said.find("Permission denied") != std::string::npos ||
                        said.find("not permitted") != std::string::npos;
      if (refused || complained || std::string(command.name) == "doctor") EXPECT_THAT(said, HasSubstr(privilege.name));
    }
  }
}

// The two that are told in a note: what is missing is named, not left out.
TEST_F(WithoutRoot, WhatIsMissingFromALookIsSaid) {
  DWELL_NEEDS_BPF();
  Program reader({"cat"});
  ASSERT_TRUE(eventually([&] {
    return as_nobody(all_but(), {"threads", "-p", pid(reader)}).output.find("pipe 0") != std::string::npos;
  }));
  Finished blind = as_nobody(all_but("CAP_DAC_READ_SEARCH"), {"threads", "-p", pid(reader)});
  EXPECT_THAT(blind.output, HasSubstr("descriptor 0"));
  EXPECT_THAT(blind.output, HasSubstr("CAP_DAC_READ_SEARCH"));
  EXPECT_THAT(blind.output, Not(HasSubstr("[vdso]"))) << "the vDSO is read without the file in /proc";
  // Newer kernels show the mappings for CAP_PERFMON too.
  Finished stranger = as_nobody(all_but("CAP_SYS_PTRACE"), {"threads", "-p", pid(reader)});
  EXPECT_THAT(stranger.output + stranger.errors, HasSubstr("CAP_SYS_PTRACE"));
}

// As the advice has it: a group's binary with file capabilities, which others cannot even start.
TEST_F(WithoutRoot, TheAdviceIsForAGroupOnly) {
  DWELL_NEEDS_BPF();
  constexpr gid_t kGroup = 61234;
  std::string binary = folder_.file("dwell");
  ASSERT_EQ(::chown(binary.c_str(), 0, kGroup), 0);
  ASSERT_EQ(::chmod(binary.c_str(), 0750), 0);
  vfs_cap_data granted{};
  granted.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  for (const Privilege& privilege : privileges()) {
    int number = static_cast<int>(privilege.capability);
    granted.data[number / 32].permitted |= 1u << number % 32;
  }
  if (::setxattr(binary.c_str(), "security.capability", &granted, sizeof granted, 0) != 0)
    GTEST_SKIP() << "this file system keeps no capabilities of files";
  Program service({target_binary("leaking_service"), "600"});
  std::vector<std::string> as{"setpriv", "--reuid", kNobody, "--regid", std::to_string(kGroup), "--clear-groups", "--", "sh", "-c", "exec \"$@\"", "sh", binary};
  for (std::vector<std::string> arguments :
       {std::vector<std::string>{"record", "-p", pid(service), "-d", "200ms", "-q", "-o", out("a.dwell")},
        {"threads", "-p", pid(service)},
        {"clocks", "-p", pid(service), "-d", "200ms"}}) {
    std::vector<std::string> command = as;
    command.insert(command.end(), arguments.begin(), arguments.end());
    Finished done = run(command);
    EXPECT_EQ(done.exit, 0) << arguments[0] << ": " << done.errors;
  }
  Finished stranger = as_nobody("", {"doctor"});
  EXPECT_NE(stranger.exit, 0);
  EXPECT_THAT(stranger.errors, HasSubstr("Permission denied"));
}

}  // namespace
}  // namespace dwell::testing
