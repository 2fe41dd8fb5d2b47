// SPDX-License-Identifier: Apache-2.0
// Places where something is missing: each command works without it, or says in one sentence what to change.
#include <gmock/gmock.h>

#include "tests/containers/placed.h"
#include "tests/end_to_end/truth.h"
#include "tests/targets/heap_functions.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<Truth> kHeapFunctions = {HEAP_FUNCTIONS(HEAP_TRUTH) HEAP_FUNCTIONS_PVALLOC(HEAP_TRUTH)};

class Surroundings : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

struct Refusal {
  Words place;
  int exit;
  const char* what;
  const char* hint;
};

// Of record, threads and clocks alike, of a process that is there.
void expect_refused(const Refusal& refusal) {
  Placed target({}, {target_binary("heap_functions")});
  Placed inside(refusal.place, {target_binary("heap_functions")});
  TemporaryFolder folder;
  for (Words command :
       {Words{"record", "-d", "1", "-o", folder.file("r.dwell")}, {"threads"}, {"clocks", "-d", "1"}}) {
    command.insert(command.begin(), dwell_binary());
    command.insert(command.end(), {"-p", "1"});
    Finished refused = run(placed(refusal.place, command));
    EXPECT_EQ(refused.exit, refusal.exit) << command[1];
    EXPECT_THAT(refused.errors, HasSubstr(refusal.what)) << command[1];
    EXPECT_THAT(refused.errors, HasSubstr(refusal.hint)) << command[1];
    EXPECT_EQ(std::ranges::count(refused.errors, '\n'), 2) << refused.errors;
  }
}

TEST_F(Surroundings, AUserNamespaceIsRefusedByName) {
  expect_refused(
      {{"new=user,pid,mount", "proc", "init"}, 4, "a user namespace of its own", "run dwell on the host"});
}

TEST_F(Surroundings, AMissingSysIsRefusedByName) {
  expect_refused({{"new=mount", "hide=/sys"}, 5, "/sys: it is not mounted", "mount -t sysfs sysfs /sys"});
}

TEST_F(Surroundings, AMissingProcIsRefusedByName) {
  expect_refused({{"new=mount", "hide=/proc"}, 5, "/proc: it is not mounted", "mount -t proc proc /proc"});
}

// Neither tracefs nor the BPF file system, no /tmp, no cache, no home; nothing can be written but the
// recording.
TEST_F(Surroundings, WhatDwellDoesNotNeedMayBeMissing) {
  TemporaryFolder folder;
  Placed target({}, {target_binary("heap_functions")});
  Words place{"new=mount",        "bind=" + folder.path(),
              "hide=/sys/fs/bpf", "hide=/sys/kernel/debug",
              "hide=/root",       "hide=/var",
              "read-only"};
  std::string file = folder.file("r.dwell");
  Words command{"env", "-i", dwell_binary(), "record", "--exact", "-o", file, "-p", std::to_string(target.pid())};
  Program dwell(placed(place, command));
  ASSERT_TRUE(dwell.wait_for_error("recording ")) << dwell.errors();
  target.program().write_line("go");
  ASSERT_TRUE(target.program().wait_for_output("done"));
  dwell.signal(SIGINT);
  EXPECT_EQ(dwell.wait(), 0) << dwell.errors();
  json all = report(file);
  expect_nothing_lost(all);
  expect_kept(all, kHeapFunctions);
}

TEST_F(Surroundings, AFolderThatCannotBeWrittenIsSaid) {
  Placed target({}, {target_binary("heap_functions")});
  Finished refused = run(placed({"new=mount", "read-only"},
                                {dwell_binary(), "record", "-d", "1", "-p", std::to_string(target.pid())}));
  EXPECT_EQ(refused.exit, 7);
  EXPECT_THAT(refused.errors, HasSubstr("Read-only file system"));
  EXPECT_THAT(refused.errors, HasSubstr("-o"));
}

json doctor_in(const Words& place, int expected_exit = 0) {
  Finished doctor = run(placed(place, {dwell_binary(), "doctor", "--json"}));
  EXPECT_EQ(doctor.exit, expected_exit) << doctor.output << doctor.errors;
  json report = json::parse(doctor.output, nullptr, false);
  EXPECT_FALSE(report.is_discarded()) << doctor.output;
  return report.is_discarded() ? json() : report["surroundings"];
}
std::vector<std::string> names(const json& surroundings) {
  std::vector<std::string> all;
  for (const json& one : surroundings) all.push_back(one["name"]);
  return all;
}

TEST_F(Surroundings, DoctorSaysWhatMattersInThem) {
  EXPECT_THAT(names(doctor_in({})), IsEmpty());
  EXPECT_THAT(names(doctor_in({"new=pid,mount", "proc", "init"})), ::testing::ElementsAre("PID namespace"));
  EXPECT_THAT(names(doctor_in({"new=mount", "hide=/sys"}, 5)), ::testing::Contains("/sys"));
  EXPECT_THAT(names(doctor_in({"new=mount", "hide=/sys/kernel/btf"}, 5)),
              ::testing::ElementsAre("/sys/kernel/btf/vmlinux"));
  EXPECT_THAT(names(doctor_in({"new=mount", "read-only"})), ::testing::ElementsAre("working folder"));
  EXPECT_THAT(names(doctor_in({"filter"})), ::testing::ElementsAre("seccomp filter"));
  EXPECT_THAT(names(doctor_in({"new=pid,mount", "proc=hidepid", "init", "uid=65534"}, 4)),
              ::testing::IsSupersetOf({"PID namespace", "/proc"}));
}

}  // namespace
}  // namespace dwell::testing
