// SPDX-License-Identifier: Apache-2.0
// What is read of the instructions of Go's runtime that switch stacks. The end-to-end tests have the real ones.
#include "userspace/unwind/go_switches.h"

#include <gtest/gtest.h>

#include <string>

namespace dwell {
namespace {

using namespace std::string_literals;

const std::string kPush = "\x55\x48\x89\xe5"s;                 // push %rbp; mov %rsp,%rbp
const std::string kToSystemStack = "\x48\x8b\x66\x38"s;        // mov 0x38(%rsi),%rsp
const std::string kCallRax = "\xff\xd0"s, kCallNear = "\xe8\x10\0\0\0"s;
const std::string kBackFar = "\x48\x8b\x7c\x24\x30\x48\x8b\x77\x08\x48\x2b\x74\x24\x28"s;  // g at 48, depth at 40
const std::string kBackNear = "\x48\x8b\x7c\x24\x08\x48\x8b\x77\x08\x48\x2b\x34\x24"s;     // g at 8, depth at 0
const std::string kStayedFar = "\x48\x8b\x74\x24\x28\x48\x89\xf4"s;                        // mov 40(%rsp),%rsi; mov %rsi,%rsp
const std::string kStayedNear = "\x48\x8b\x34\x24\x48\x89\xf4"s;

TEST(GoSwitches, AsmcgocallTellsWhereTheGoroutineStands) {
  std::string code = kToSystemStack + kCallRax + kBackFar + kCallRax + kStayedFar;
  std::vector<SwitchRule> rules = rules_of_asmcgocall(code);
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].offset, 6u);
  EXPECT_EQ(rules[0].rule.cfa, DWELL_CFA_GOROUTINE);
  EXPECT_EQ(rules[0].rule.cfa_offset, 48 << 16 | 40 << 8);
  EXPECT_EQ(rules[0].rule.bp_offset, 6);
  EXPECT_EQ(rules[1].rule.cfa, DWELL_CFA_DEREF_SP);
  EXPECT_EQ(rules[1].rule.cfa_offset, 40 << 8 | 8);
  EXPECT_EQ(rules[1].rule.bp, DWELL_BP_SAME);
}

TEST(GoSwitches, AsmcgocallThatPushesTheFramePointer) {
  std::string code = kPush + kToSystemStack + kCallNear + kBackNear + kCallNear + kStayedNear;
  std::vector<SwitchRule> rules = rules_of_asmcgocall(code);
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].offset, 13u);
  EXPECT_EQ(rules[0].rule.cfa_offset, 8 << 16 | 1);
  EXPECT_EQ(rules[1].rule.cfa_offset, 16);
  EXPECT_EQ(rules[1].rule.bp, DWELL_BP_AT_CFA);
  EXPECT_EQ(rules[1].rule.bp_offset, -16);
}

TEST(GoSwitches, AsmcgocallOfAnUnknownShapeHasNoRule) {
  std::string code = kToSystemStack + kCallRax + kBackFar;
  for (std::size_t i = 4; i < code.size(); i++) {
    if (i == 10 || i == 19) continue;  // the two numbers: they may be others
    std::string other = code;
    other[i] ^= '\x80';
    EXPECT_TRUE(rules_of_asmcgocall(other).empty()) << i;
    EXPECT_TRUE(rules_of_asmcgocall(code.substr(0, i)).empty()) << i;
  }
  code[10] = '\x88';  // negative
  EXPECT_TRUE(rules_of_asmcgocall(code).empty());
}

TEST(GoSwitches, SystemstackTellsWhereTheThreadsGoroutineStands) {
  std::string back = "\x64\x48\x8b\x04\x25\xf8\xff\xff\xff\x48\x8b\x58\x30\x48\x8b\x83\xc0\0\0\0"s;
  std::vector<SwitchRule> rules = rules_of_systemstack(kPush + "\xff\xd7" + back);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].offset, 6u);
  EXPECT_EQ(rules[0].rule.cfa, DWELL_CFA_SYSTEM_STACK);
  EXPECT_EQ(rules[0].rule.cfa_offset, 192 << 8 | 1);
  back[5] = '\xf0';  // another variable of the thread's
  EXPECT_TRUE(rules_of_systemstack(kPush + "\xff\xd7" + back).empty());
}

TEST(GoSwitches, PositionIndependentProgramsLookUpTheirGoroutineFirst) {
  for (std::string first : {"\x48\xc7\xc1\xf8\xff\xff\xff"s, "\x48\x8b\x0d\0\x10\0\0"s}) {
    std::vector<SwitchRule> rules = rules_of_asmcgocall(kToSystemStack + kCallRax + first + kBackFar);
    ASSERT_EQ(rules.size(), 1u);
    EXPECT_EQ(rules[0].offset, 6u);
    EXPECT_EQ(rules[0].rule.cfa_offset, 48 << 16 | 40 << 8);
  }
  std::string back = "\x48\xc7\xc1\xf8\xff\xff\xff\x64\x48\x8b\x01\x48\x8b\x58\x30\x48\x8b\x83\xb8\0\0\0"s;
  ASSERT_EQ(rules_of_systemstack("\xff\xd7" + back).size(), 1u);
  EXPECT_EQ(rules_of_systemstack("\xff\xd7" + back)[0].rule.cfa_offset, 184 << 8);
}

TEST(GoSwitches, ACallOnAnAlignedStackLeadsBackToTheOldOne) {
  std::string code = "\x48\x83\xe4\xf0"s + kCallRax + "\x48\x8b\x24\x24"s;  // and $-16,%rsp; call; mov (%rsp),%rsp
  std::vector<SwitchRule> rules = rules_of_restored_stacks(code, {{0, 0}, {2, 24}}, true);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].offset, 6u);
  EXPECT_EQ(rules[0].rule.cfa, DWELL_CFA_DEREF_SP);
  EXPECT_EQ(rules[0].rule.cfa_offset, 32);
  EXPECT_EQ(rules[0].rule.bp_offset, -16);
  EXPECT_TRUE(rules_of_restored_stacks(code, {{0, 300}}, true).empty());
  EXPECT_TRUE(rules_of_restored_stacks("\x90\x90" + code.substr(6), {{0, 8}}, true).empty()) << "no call";
}

TEST(GoSwitches, CgocallbackTellsWhereItWasCalled) {
  std::string to = "\x48\x89\xfc"s, arguments = "\x48\x89\x1c\x24"s;
  std::string code = kPush + kCallRax + to + arguments + kCallRax + "\x48";
  std::vector<SwitchRule> rules = rules_of_cgocallback(code, 0x1000);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].offset, 15u) << "the first call is made on the thread's stack";
  EXPECT_EQ(rules[0].rule.cfa, DWELL_CFA_CALLED_BY_C);
  EXPECT_EQ(rules[0].rule.cfa_offset, 0x1000 - 15);
  EXPECT_TRUE(rules_of_cgocallback(code + to, 0x1000).empty()) << "which of the two it is cannot be told";
  EXPECT_TRUE(rules_of_cgocallback(kPush + kCallRax, 0x1000).empty());
  EXPECT_TRUE(rules_of_cgocallback(code, std::int64_t{1} << 32).empty());
}

TEST(GoSwitches, TheTableHoldsUntilTheStackPointerIsReplaced) {
  std::string plain = "\x48\x83\xec\x18\x48\x89\xe5\x48\x89\x3c\x24\x48\x83\xc4\x18"s;  // sub, mov from rsp, store, add
  plain += "\x48\x8d\x64\x24\xf8\x49\x89\xe4\x4c\x8b\x66\x38"s;  // lea -8(%rsp),%rsp; mov %rsp,%r12; mov 56(%rsi),%r12
  EXPECT_EQ(switches_stack_at(plain), plain.size());
  for (const std::string& switches : {kToSystemStack, "\x49\x8b\x66\x38"s, "\x48\x89\xdc"s, "\x4c\x89\xe4"s, "\x48\x83\xe4\xf0"s, "\x48\x87\xe3"s,
                                     "\x48\x8d\x60\x08"s})
    EXPECT_EQ(switches_stack_at(plain + switches), plain.size());
}

TEST(GoSwitches, WhereTheFramePointerIsSaved) {
  std::string check = "\x49\x3b\x66\x10\x76\x40"s;  // cmp 16(%r14),%rsp; jbe
  EXPECT_EQ(saves_frame_pointer_at(check + kPush + "\x48\x83\xec\x18", {{0, 0}, {7, 8}, {14, 32}}), 7u);
  std::string save = "\x48\x89\x6c\x24\x18\x48\x8d\x6c\x24\x18"s;  // mov %rbp,24(%rsp); lea 24(%rsp),%rbp
  EXPECT_EQ(saves_frame_pointer_at(check + "\x48\x83\xec\x20" + save, {{0, 0}, {10, 32}}), 15u);
  std::string far = "\x48\x89\xac\x24\xf8\0\0\0\x48\x8d\xac\x24\xf8\0\0\0"s;
  EXPECT_EQ(saves_frame_pointer_at("\x48\x81\xec\0\x01\0\0"s + far, {{0, 0}, {7, 256}}), 15u);
  EXPECT_FALSE(saves_frame_pointer_at(check + "\x48\x83\xec\x20" + save, {{0, 0}, {10, 40}})) << "some other place";
  EXPECT_FALSE(saves_frame_pointer_at(check + "\x48\x83\xec\x20", {{0, 0}, {10, 32}}));
  EXPECT_FALSE(saves_frame_pointer_at("", {{0, 0}}));
}

}  // namespace
}  // namespace dwell
