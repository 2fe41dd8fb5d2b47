// SPDX-License-Identifier: Apache-2.0
// What a recording follows, from the table and what was asked for.
#include "userspace/subjects/choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::vector<Subject> some_subjects() {
  std::vector<Subject> all(3);
  all[0].name = "memory";
  all[0].followed = {{"heap", "blocks", true}, {"mappings", "maps", true}};
  all[1].name = "threads";
  all[1].followed = {{"look", "looks", true}, {"blocked", "waits", false, "--blocked"}};
  all[2].name = "clocks";
  all[2].followed = {{"reads", "reads", false, "--clocks"}};
  return all;
}

const std::vector<Subject>& table() {
  static const std::vector<Subject> all = some_subjects();
  return all;
}

// Full names of all that is followed.
std::vector<std::string> chosen(const FollowRequest& request) {
  Result<Choice> choice = choose(table(), request);
  if (!choice) return {choice.error().what};
  std::vector<std::string> names;
  for (const auto& [subject, of] : *choice)
    for (std::string_view name : of.names) names.push_back(std::string(subject) + ":" + std::string(name));
  return names;
}

Error refusal(const FollowRequest& request) {
  Result<Choice> choice = choose(table(), request);
  if (!choice) return choice.error();
  return {"it was not refused", ""};
}

TEST(Choice, FollowsTheDefaultsWhereNothingIsAsked) {
  EXPECT_THAT(chosen({}), UnorderedElementsAre("memory:heap", "memory:mappings", "threads:look"));
}

TEST(Choice, AddsWhatAFlagAsksFor) {
  EXPECT_THAT(chosen({.added = {"clocks", "threads:blocked"}}),
              UnorderedElementsAre("memory:heap", "memory:mappings", "threads:look", "threads:blocked", "clocks:reads"));
}

TEST(Choice, OnlyASubjectStandsForItsDefaultsOrForAllOfItWhereThereAreNone) {
  EXPECT_THAT(chosen({.only = {"threads"}}), UnorderedElementsAre("threads:look"));
  EXPECT_THAT(chosen({.only = {"clocks"}}), UnorderedElementsAre("clocks:reads"));
  EXPECT_THAT(chosen({.only = {"threads"}, .added = {"threads:blocked"}}), UnorderedElementsAre("threads:look", "threads:blocked"));
}

TEST(Choice, TakesPartsByTheirFullNameOrByTheirOwnWhereOnlyOneHasIt) {
  EXPECT_THAT(chosen({.only = {"memory:mappings"}}), UnorderedElementsAre("memory:mappings"));
  EXPECT_THAT(chosen({.without = {"mappings"}}), UnorderedElementsAre("memory:heap", "threads:look"));
}

TEST(Choice, WithoutLeavesOutASubjectWhole) {
  EXPECT_THAT(chosen({.without = {"memory"}}), UnorderedElementsAre("threads:look"));
  EXPECT_THAT(chosen({.only = {"memory", "threads"}, .without = {"memory:heap"}}),
              UnorderedElementsAre("memory:mappings", "threads:look"));
}

TEST(Choice, KnowsWhatTheUserNamed) {
  Result<Choice> choice = choose(table(), {.without = {"memory:heap"}, .added = {"clocks"}});
  ASSERT_TRUE(choice);
  EXPECT_FALSE(choice->at("memory").by_name);
  EXPECT_FALSE(choice->at("threads").by_name);
  EXPECT_TRUE(choice->at("clocks").by_name);
  EXPECT_TRUE(choose(table(), {.only = {"threads:look"}})->at("threads").by_name);
  EXPECT_TRUE(choose(table(), {.without = {"memory"}})->at("threads").by_name) << "what else would it record?";
}

TEST(Choice, AMisspeltNameIsToldWithTheNearest) {
  EXPECT_EQ(refusal({.only = {"treads"}}).what, "--only: 'treads' is nothing that dwell records");
  EXPECT_EQ(refusal({.only = {"treads"}}).hint, "did you mean threads?");
  EXPECT_EQ(refusal({.without = {"memory:maping"}}).hint, "did you mean memory:mappings?");
  EXPECT_EQ(refusal({.without = {"memory:maping"}}).exit, Exit::kUsage);
}

TEST(Choice, RefusesWhatContradictsItself) {
  EXPECT_THAT(refusal({.only = {"memory"}, .without = {"memory"}}).what, HasSubstr("contradict"));
  EXPECT_THAT(refusal({.without = {"threads"}, .added = {"threads:blocked"}}).what, HasSubstr("--blocked and --without contradict"));
  EXPECT_THAT(refusal({.only = {"memory"}, .added = {"clocks"}}).what, HasSubstr("--clocks and --only contradict"));
  EXPECT_THAT(refusal({.only = {"memory:heap"}, .without = {"heap"}}).what, HasSubstr("leave nothing to record"));
  EXPECT_THAT(refusal({.without = {"memory", "threads"}}).what, HasSubstr("leave nothing to record"));
}

TEST(Choice, SaysWhatOnlyAFlagWouldAdd) {
  Recording recording;
  std::vector<Subject> subjects = some_subjects();
  Choice choice = *choose(subjects, {});
  EXPECT_EQ(list_left_out(subjects, choice, recording), "threads:blocked (--blocked), clocks (--clocks)");
  choice = *choose(subjects, {.added = {"clocks"}});
  EXPECT_EQ(list_left_out(subjects, choice, recording), "threads:blocked (--blocked)");
  subjects[1].of_target = [](const Recording&) { return false; };
  EXPECT_EQ(list_left_out(subjects, choice, recording), "");
}

TEST(Choice, ListsEverythingWithWhatAddsIt) {
  std::string list = list_followed(table());
  EXPECT_THAT(list, HasSubstr("  memory:heap       yes           blocks\n"));
  EXPECT_THAT(list, HasSubstr("  threads:blocked   --blocked     waits\n"));
  EXPECT_THAT(list, HasSubstr("  clocks            --clocks      reads\n"));
}

}  // namespace
}  // namespace dwell
