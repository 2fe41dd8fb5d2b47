// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

PlannedProbe probe(const std::string& name, const std::string& refusal = {}) {
  PlannedProbe result{.index = 1,
                      .function = {name, {}, AllocFamily::kC, alloc_name(name).shape, 0x1000, 64, 0x1000},
                      .module = "/usr/lib/libexample.so",
                      .placements = {},
                      .refusal = refusal,
                      .site = {},
                      .candidate = 0};
  if (refusal.empty())
    result.placements.push_back({result.function.shape, 3, 8, TrapClass::kEmulated, "jz 0x1010", 512.4});
  return result;
}

DoctorReport healthy() {
  DoctorReport report;
  report.kernel = "Linux 6.18.0 x86_64";
  report.features = {{"BTF", true, true, "", true}, {"uprobe sessions", false, false, "needs Linux 6.13", true}};
  report.calibration.abilities.best = AttachMethod::kMulti;
  report.target = TargetExamination{.pid = 7, .program = "/usr/bin/example", .modules = {}, .probes = {}, .notes = {}, .code_signs = {}, .failure = {}};
  report.target->probes = {probe("_Znwm"), probe("free"), probe("malloc", "it is in Go code")};
  return report;
}

TEST(Doctor, TextNamesPlacePriceAndRefusal) {
  std::string text = doctor_text(healthy());
  EXPECT_THAT(text, HasSubstr("operator new(unsigned long)"));
  EXPECT_THAT(text, HasSubstr("+0x3"));
  EXPECT_THAT(text, HasSubstr("jz 0x1010"));
  EXPECT_THAT(text, HasSubstr("512"));
  EXPECT_THAT(text, HasSubstr("refused: it is in Go code"));
  EXPECT_THAT(text, HasSubstr("no  uprobe sessions: needs Linux 6.13"));
  EXPECT_THAT(text, HasSubstr("attach by uprobe_multi"));
}

TEST(Doctor, TellsWhatARecordingWouldCost) {
  DoctorReport busy = healthy(), slow = healthy(), idle = healthy();
  busy.target->price = AllocationPrice{100'000, 0.5, 2500};
  slow.target->price = AllocationPrice{1000, 0.5, 2500};
  idle.target->price = AllocationPrice{0, 0, 2500};
  EXPECT_THAT(doctor_text(busy), HasSubstr("about 100,000 allocations a second just now, 50 % of a CPU in use: recording each of them would cost 50 % of the CPU time"));
  EXPECT_THAT(doctor_text(busy), HasSubstr("keeps to 2 % by windows"));
  EXPECT_THAT(doctor_text(slow), HasSubstr("recording each of them costs 0.5 % of the CPU time that it uses; dwell record does so"));
  EXPECT_THAT(doctor_text(idle), HasSubstr("costs next to nothing"));
  EXPECT_THAT(doctor_text(healthy()), Not(HasSubstr("allocations a second")));
  EXPECT_NEAR(nlohmann::json::parse(doctor_json(busy))["target"]["price"]["exact_percent"].get<double>(), 50, 1e-6);
}

TEST(Doctor, JsonSaysTheSame) {
  nlohmann::json json = nlohmann::json::parse(doctor_json(healthy()));
  EXPECT_EQ(json["exit"], 0);
  EXPECT_EQ(json["attach"]["method"], "uprobe_multi");
  ASSERT_EQ(json["target"]["probes"].size(), 3u);
  EXPECT_EQ(json["target"]["probes"][1]["class"], "emulated");
  EXPECT_EQ(json["target"]["probes"][1]["file_offset"], 0x1003);
  EXPECT_EQ(json["target"]["probes"][1]["returns"], false);
  EXPECT_EQ(json["target"]["probes"][2]["refused"], "it is in Go code");
}

TEST(Doctor, TheExitCodeIsThatOfARecordingThere) {
  EXPECT_EQ(healthy().exit(), Exit::kOk);

  DoctorReport all_refused = healthy();
  all_refused.target->probes = {probe("malloc", "no")};
  EXPECT_EQ(all_refused.exit(), Exit::kUnsupported);

  DoctorReport old_kernel = healthy();
  old_kernel.features.push_back({"BPF ring buffer", false, true, "needs Linux 5.8", true});
  EXPECT_EQ(old_kernel.exit(), Exit::kUnsupported);

  DoctorReport nobody = healthy();
  nobody.missing = {{privileges()[0], true}};
  nobody.calibration.abilities.best.reset();
  EXPECT_EQ(nobody.exit(), Exit::kNotPermitted);
  EXPECT_THAT(doctor_text(nobody), HasSubstr("hint: sudo dwell"));

  nobody.features.push_back({"BPF ring buffer", false, true, "cannot be told", false});
  EXPECT_EQ(nobody.exit(), Exit::kNotPermitted);
  EXPECT_THAT(doctor_text(nobody), HasSubstr("?   BPF ring buffer: cannot be told"));

  DoctorReport gone = healthy();
  gone.target->failure = Error{"look at PID 7: no such process", "", Exit::kNoTarget};
  EXPECT_EQ(gone.exit(), Exit::kNoTarget);
  EXPECT_THAT(doctor_text(gone), HasSubstr("cannot be traced: look at PID 7: no such process"));
}

TEST(Doctor, PathsThatAreNoTextStillMakeJson) {
  DoctorReport report = healthy();
  report.target->program = "/tmp/\xff\xfe";
  EXPECT_TRUE(nlohmann::json::accept(doctor_json(report)));
}

TEST(LiveDoctor, FindsItsWayAboutThisMachine) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  DoctorReport report = examine(getpid());
  ASSERT_TRUE(report.target);
  EXPECT_FALSE(report.target->failure);
  EXPECT_THAT(doctor_text(report), HasSubstr("malloc"));
  EXPECT_THAT(report.missing, testing::IsEmpty());

  DoctorReport nobody = examine(0x3fffff);
  ASSERT_TRUE(nobody.target && nobody.target->failure);
  EXPECT_EQ(nobody.target->failure->exit, Exit::kNoTarget);
}

}  // namespace
}  // namespace dwell
