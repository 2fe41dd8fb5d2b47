// SPDX-License-Identifier: Apache-2.0
// Every sentence of `dwell doctor` about a process, each in a situation in which it is true.
#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "userspace/probes/doctor.h"

namespace dwell {
namespace {

DoctorReport plain() {
  DoctorReport report;
  report.kernel = "Linux 6.1.0 x86_64";
  report.features = {{"BTF", true, true, "", true},
                     {"uprobes", false, true, "refused", true},
                     {"uprobe sessions", false, false, "needs Linux 6.13", true},
                     {"return probes", false, false, "not tried", false}};
  report.target = TargetExamination{.pid = 7, .program = "/usr/bin/server", .modules = {}, .probes = {}, .notes = {},
                                    .code_signs = {}, .failure = {}};
  return report;
}

std::string scene(const std::string& title, const DoctorReport& report) {
  return "==== " + title + " ====\n" + doctor_text(report) + "\n";
}

AllocModule module(std::size_t functions) {
  AllocModule module;
  module.allocator = "glibc malloc";
  module.path = "/lib/libc.so.6";
  for (std::size_t i = 0; i < functions; ++i)
    module.functions.push_back({"malloc", {}, AllocFamily::kC, alloc_name("malloc").shape, 0x1000, 64, 0x1000});
  module.skipped = {{"valloc", "it is too short for a probe", {}, ""}, {"_Znwm", "", {}, "malloc"}};
  return module;
}

TEST(Sentences, OfDoctor) {
  std::string page;
  for (std::size_t functions : {1, 2}) {
    DoctorReport report = plain();
    report.target->modules = {module(functions)};
    report.target->notes = {"/usr/lib/libx.so: no such file"};
    report.target->code_signs = {"it maps executable memory that it can write"};
    page += scene("a process that can be traced", report);
  }
  for (SeccompAnswer answer : {SeccompAnswer::kSurvives, SeccompAnswer::kKilledByReturns, SeccompAnswer::kKilledByNop5,
                               SeccompAnswer::kUnknown}) {
    DoctorReport report = plain();
    report.target->seccomp_filter = true;
    report.target->seccomp = answer;
    page += scene("under a seccomp filter", report);
  }
  DoctorReport failed = plain();
  failed.target->failure = Error{"find an allocator in PID 7: a Go program manages its memory itself", "dwell record",
                                 Exit::kUnsupported};
  page += scene("no native memory to trace", failed);
  failed.target->failure = Error{"look at PID 7: no such process", "", Exit::kNoTarget};
  page += scene("no process", failed);
  failed.missing = {{privileges()[0], true}, {privileges()[1], false}};
  failed.own_user_namespace = true;
  page += scene("without privileges", failed);
  failed.missing.pop_back();
  page += scene("with privileges that can be granted", failed);
  expect_golden("doctor.txt", page);
}

}  // namespace
}  // namespace dwell
