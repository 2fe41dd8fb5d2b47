// SPDX-License-Identifier: Apache-2.0
// The command line as a whole: what a user types, and what it is taken for. Help comes from the tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/commands/options.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Command parse(std::vector<std::string> words) {
  words.insert(words.begin(), "dwell");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  return parse_command_line(static_cast<int>(words.size()), arguments.data());
}

PrintAndExit answer(const std::vector<std::string>& words) {
  Command command = parse(words);
  auto* printed = std::get_if<PrintAndExit>(&command);
  return printed ? *printed : PrintAndExit{"it was not refused", -1};
}

SubjectCommand look(const std::vector<std::string>& words) {
  Command command = parse(words);
  auto* found = std::get_if<SubjectCommand>(&command);
  if (found) return *found;
  ADD_FAILURE() << answer(words).text;
  return {};
}

TEST(CommandLine, EverySubjectWithALookIsACommand) {
  std::size_t looks = 0;
  for (const Subject& subject : subjects()) {
    if (!subject.look.make) continue;
    ++looks;
    EXPECT_EQ(look({std::string(subject.name), "12"}).subject->name, subject.name);
  }
  EXPECT_EQ(looks, 5u);
}

TEST(CommandLine, SeveralProcessesAreNamedInEitherWay) {
  EXPECT_THAT(look({"threads", "12", "13"}).targets, ElementsAre("12", "13"));
  EXPECT_THAT(look({"memory", "-p", "12,13"}).targets, ElementsAre("12", "13"));
  EXPECT_THAT(look({"go", "-p", "12", "-p", "13", "--json"}).targets, ElementsAre("12", "13"));
}

TEST(CommandLine, WhatIsOfOneProcessIsRefusedForSeveral) {
  EXPECT_THAT(answer({"threads", "12", "13", "-o", "a.dwell"}).text, HasSubstr("-o takes one process"));
  EXPECT_THAT(answer({"threads", "12", "13", "--with", "a.dwell"}).text, HasSubstr("--with takes a recording of one process"));
  EXPECT_THAT(answer({"clocks", "12", "13", "-f", "svg"}).text, HasSubstr("a profile is of one process"));
}

TEST(CommandLine, ARecordingTakesManyProcesses) {
  Command command = parse({"record", "12", "13", "--children", "--name", "nginx", "--cgroup", "a.service"});
  auto* record = std::get_if<RecordCommand>(&command);
  ASSERT_TRUE(record) << answer({"record", "12", "13", "--children"}).text;
  EXPECT_THAT(record->targets.processes, ElementsAre("12", "13"));
  EXPECT_THAT(record->targets.names, ElementsAre("nginx"));
  EXPECT_THAT(record->targets.groups, ElementsAre("a.service"));
  EXPECT_TRUE(record->targets.children);
  EXPECT_THAT(answer({"record", "--children"}).text, HasSubstr("record what?"));
  EXPECT_THAT(answer({"top"}).text, HasSubstr("top of what?"));
}

TEST(CommandLine, EveryCommandHasItsSentenceAndItsOwnExamples) {
  std::string all = answer({"--help"}).text;
  for (std::string command : {"record", "report", "export", "diff", "symbolize", "doctor", "threads", "memory", "clocks", "go"}) {
    EXPECT_THAT(all, HasSubstr("\n  " + command + " "));
    PrintAndExit help = answer({command, "--help"});
    EXPECT_EQ(help.exit, 0);
    std::string examples = help.text.substr(std::min(help.text.find("EXAMPLES"), help.text.size()));
    EXPECT_THAT(examples, HasSubstr("dwell " + command + " ")) << command;
    EXPECT_EQ(answer({"help", command}).text, help.text);
  }
}

TEST(CommandLine, HelpOfRecordListsAllThatIsFollowed) {
  std::string help = answer({"record", "--help"}).text;
  for (const Subject& subject : subjects())
    for (const Followed& followed : subject.followed) {
      EXPECT_THAT(help, HasSubstr(full_name(subject, followed)));
      EXPECT_THAT(help, HasSubstr(std::string(followed.sentence)));
    }
}

TEST(CommandLine, NothingAtAllPrintsTheHelpAsAMistake) {
  EXPECT_EQ(answer({}).exit, 2);
  EXPECT_THAT(answer({}).text, HasSubstr("EXAMPLES"));
}

TEST(CommandLine, ReportsForPeopleGoThroughThePager) {
  EXPECT_TRUE(wants_pager(parse({"report", "a.dwell"})));
  EXPECT_TRUE(wants_pager(parse({"threads", "1", "-o", "a.dwell"})));
  EXPECT_TRUE(wants_pager(parse({"doctor"})));
  EXPECT_FALSE(wants_pager(parse({"report", "a.dwell", "--no-pager"})));
  EXPECT_FALSE(wants_pager(parse({"report", "a.dwell", "--json"})));
  EXPECT_FALSE(wants_pager(parse({"clocks", "1", "-o", "a.svg"})));
  EXPECT_FALSE(wants_pager(parse({"diff", "a.dwell", "b.dwell", "-o", "a.txt"})));
  EXPECT_FALSE(wants_pager(parse({"record", "1"})));
  EXPECT_FALSE(wants_pager(parse({"export", "a.dwell", "-o", "a.svg"})));
}

}  // namespace
}  // namespace dwell
