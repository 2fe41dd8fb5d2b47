// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "userspace/doctor/kernel_trials.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<ObjectTrial> all_work() {
  std::vector<ObjectTrial> objects;
  for (const char* name : {"kernel", "probes", "mapping events", "lifecycle", "alloc", "alloc, sampled", "thread_life", "threads",
                           "cpu_sample", "blocked", "clocks", "go_allocs", "go_parks", "go_contexts", "memory of processes",
                           "file_ends", "thread_registers"})
    objects.push_back({name, "", std::nullopt});
  return objects;
}

std::vector<std::string> refused(const std::string& object) {
  std::vector<ObjectTrial> objects = all_work();
  std::ranges::find(objects, object, &ObjectTrial::object)->failure = Error{"why", "", Exit::kUnsupported};
  std::vector<std::string> commands;
  for (const CommandAnswer& answer : answers_for(objects))
    if (answer.failure) commands.push_back(answer.command);
  return commands;
}

TEST(Trials, WhatOneObjectLacksCostsOnlyWhatNeedsIt) {
  using ::testing::ElementsAre;
  EXPECT_THAT(refused("blocked"), ElementsAre("record --blocked"));
  EXPECT_THAT(refused("clocks"), ElementsAre("record --clocks", "clocks"));
  EXPECT_THAT(refused("threads"), ElementsAre("record: threads", "threads", "threads: stacks of threads that run", "threads: the other end of pipes and sockets"));
  EXPECT_THAT(refused("file_ends"), ElementsAre("threads: the other end of pipes and sockets"));
  EXPECT_THAT(refused("go_parks"), ElementsAre("record --go-blocked"));
  EXPECT_THAT(refused("thread_registers"), ElementsAre("memory --leaks"));
}

TEST(Trials, TheMethodThatCommandsUseDecides) {
  std::vector<ObjectTrial> objects = all_work();
  objects.push_back({"alloc", "perf uprobe", Error{"why", "", Exit::kUnsupported}});
  for (const CommandAnswer& answer : answers_for(objects)) EXPECT_FALSE(answer.failure) << answer.command;
}

TEST(Trials, TextAndJsonSayTheSame) {
  DoctorReport report;
  report.trials.objects = all_work();
  report.trials.objects[9].failure = Error{"the verifier refuses on_waking", "report it", Exit::kUnsupported};
  report.trials.commands = answers_for(report.trials.objects);
  std::string text = doctor_text(report), json = doctor_json(report);
  EXPECT_THAT(text, HasSubstr("no  record --blocked\n      the verifier refuses on_waking"));
  EXPECT_THAT(text, HasSubstr("yes record: threads"));
  EXPECT_THAT(json, HasSubstr("on_waking"));
}

TEST(Trials, NothingThatATargetNamesReachesTheTerminal) {
  DoctorReport report;
  report.target = TargetExamination{.pid = 7, .program = "/tmp/\x1b]0;pwn\x07", .modules = {}, .probes = {}, .notes = {}, .failure = {}};
  report.target->notes = {"note \x1b[31m"};
  AllocModule module;
  module.path = "/lib/\x1b[2J.so";
  report.target->modules.push_back(module);
  EXPECT_THAT(doctor_text(report), Not(::testing::ContainsRegex("[\x1b\x07]")));
  report.target->failure = Error{"open /tmp/\x1b[1m: no", "", Exit::kFailed};
  EXPECT_THAT(doctor_text(report), Not(::testing::ContainsRegex("[\x1b\x07]")));
}

}  // namespace
}  // namespace dwell
