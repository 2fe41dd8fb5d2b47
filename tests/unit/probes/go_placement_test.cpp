// SPDX-License-Identifier: Apache-2.0
// Beginnings of functions as Go's compilers of different versions write them.
#include "userspace/probes/go_placement.h"

#include <gtest/gtest.h>

// CODE(name, text): bytes between name_begin and name_end, never executed.
#define CODE(name, text)                                                                              \
  asm(".pushsection .text\n.globl " #name "_begin, " #name "_end\n" #name "_begin:\n" text "\n" #name \
      "_end:\n.popsection");                                                                          \
  extern "C" const std::byte name##_begin[], name##_end[];

CODE(go_new, "cmp 0x10(%r14), %rsp\n jbe 1f\n push %rbp\n mov %rsp, %rbp\n sub $0x10, %rsp\n 1: ret")
CODE(go_new_large, "lea -0x100(%rsp), %r12\n cmp 0x10(%r14), %r12\n jbe 1f\n push %rbp\n ret\n 1: ret")
CODE(go_new_huge,
     "mov %rsp, %r12\n sub $0x2000, %r12\n jb 1f\n cmp 0x10(%r14), %r12\n jbe 1f\n push %rbp\n ret\n 1: ret")
CODE(go_old, "cmp 0x10(%r14), %rsp\n jbe 1f\n sub $0x18, %rsp\n mov %rbp, 0x10(%rsp)\n ret\n 1: ret")
CODE(go_no_check, "push %rbp\n mov %rsp, %rbp\n pop %rbp\n ret")
CODE(go_no_check_old, "sub $0x18, %rsp\n mov %rbp, 0x10(%rsp)\n ret")
CODE(go_leaf, "mov 0x8(%rax), %rax\n ret")
CODE(go_takes_apart, "mov 0x8(%rax), %rax\n push %rbp\n ret")

// Spans are taken, and the one that was is handed on.
CODE(go_next_free, "call go_leaf_begin\n cmp %rdx, %rax\n jne 1f\n call go_old_begin\n mov 0x30(%rdx), %rax\n"
                   "call go_leaf_begin\n 1: ret")

CODE(go_spins, "cmpl $0, (%rax)\n je go_spins_begin\n ret")
CODE(go_grows, "cmp 0x10(%r14), %rsp\n jbe 1f\n push %rbp\n test %rax, %rax\n jne 2f\n pop %rbp\n ret\n"
               "2: jmp *(%rcx,%rdx,8)\n pop %rbp\n ret\n 1: call go_leaf_begin\n jmp go_grows_begin")
CODE(go_jumps_away, "test %rax, %rax\n jne 1f\n ret\n 1: jmp .+0x1000")
CODE(go_jumps_anywhere, "mov (%rdx), %rax\n jmp *%rax")
CODE(go_never_returns, "push %rbp\n call go_leaf_begin\n ud2")

namespace dwell {
namespace {

constexpr TrapPrices kPrices;

std::vector<GoPlacement> placements(const std::byte* begin, const std::byte* end) {
  return plan_go_placements({{begin, end}, 0x9a000, true}, {}, kPrices);
}
#define PLACEMENTS(name) placements(name##_begin, name##_end)

TEST(GoPlacement, StandsOnThePushBehindTheStackCheck) {
  std::vector<GoPlacement> found = PLACEMENTS(go_new);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].offset, 6u);
  EXPECT_EQ(found[0].instruction, "push %rbp");
  EXPECT_EQ(found[0].trap, TrapClass::kEmulated);
  EXPECT_FALSE(found[0].at_stack_check);
  EXPECT_TRUE(found[1].at_stack_check) << "if the kernel refuses the first";
}

TEST(GoPlacement, StepsOverTheChecksOfLargeFrames) {
  EXPECT_EQ(PLACEMENTS(go_new_large)[0].instruction, "push %rbp");
  std::vector<GoPlacement> huge = PLACEMENTS(go_new_huge);
  ASSERT_EQ(huge.size(), 2u);
  EXPECT_EQ(huge[0].instruction, "push %rbp");
  EXPECT_EQ(huge[1].instruction.substr(0, 3), "jbe") << "not the first of the two branches";
}

TEST(GoPlacement, StandsOnTheStackCheckItselfBeforeGo121) {
  std::vector<GoPlacement> found = PLACEMENTS(go_old);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].offset, 4u);
  EXPECT_TRUE(found[0].at_stack_check);
  EXPECT_EQ(found[0].trap, TrapClass::kEmulated);
}

TEST(GoPlacement, StandsAtTheEntryWhereNothingIsChecked) {
  EXPECT_EQ(PLACEMENTS(go_no_check)[0].offset, 0u);
  EXPECT_EQ(PLACEMENTS(go_no_check)[0].trap, TrapClass::kEmulated);
  ASSERT_EQ(PLACEMENTS(go_no_check_old).size(), 1u);
  EXPECT_EQ(PLACEMENTS(go_no_check_old)[0].trap, TrapClass::kStepped);
  EXPECT_EQ(PLACEMENTS(go_leaf)[0].offset, 0u);
}

TEST(GoPlacement, NeverStandsBehindWhatChangesAnArgument) {
  std::vector<GoPlacement> found = PLACEMENTS(go_takes_apart);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].offset, 0u);
}

TEST(GoPlacement, NeverStandsWhereALoopComesByAgain) { EXPECT_TRUE(PLACEMENTS(go_spins).empty()); }

GoReturns returns(const std::byte* begin, const std::byte* end) { return find_go_returns({{begin, end}, reinterpret_cast<std::uint64_t>(begin), true}); }
#define RETURNS(name) returns(name##_begin, name##_end)

TEST(GoReturns, AreAllReturnInstructions) {
  GoReturns found = RETURNS(go_grows);
  EXPECT_EQ(found.why_not, "");
  ASSERT_EQ(found.offsets.size(), 2u);
  for (std::uint32_t offset : found.offsets) EXPECT_EQ(go_grows_begin[offset], std::byte{0xc3});
  EXPECT_EQ(RETURNS(go_leaf).offsets.size(), 1u);
}

TEST(GoReturns, AreNoneWhereACallMayEndElsewhere) {
  for (const GoReturns& found : {RETURNS(go_jumps_away), RETURNS(go_jumps_anywhere)}) {
    EXPECT_EQ(found.why_not, "it ends in a jump to another function");
    EXPECT_TRUE(found.offsets.empty());
  }
  EXPECT_EQ(RETURNS(go_never_returns).why_not, "it never returns");
}

TEST(GoPlacement, KnowsWhatTheFirstInstructionWouldCost) {
  GoPlacement entry = go_entry({{go_new_begin, go_new_end}, 0x9a000, true}, {}, kPrices);
  EXPECT_EQ(entry.offset, 0u);
  EXPECT_EQ(entry.trap, TrapClass::kStepped);
  EXPECT_GT(entry.cost_ns, 5 * PLACEMENTS(go_new)[0].cost_ns);
}

TEST(GoPlacement, StandsBehindACall) {
  std::uint64_t base = reinterpret_cast<std::uint64_t>(go_next_free_begin);
  FunctionCode code{{go_next_free_begin, go_next_free_end}, base, true};
  auto behind = [&](const std::byte* callee) {
    return plan_behind_call(code, reinterpret_cast<std::uint64_t>(callee), {}, kPrices);
  };
  std::vector<GoPlacement> found = behind(go_old_begin);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].instruction.substr(0, 4), "call");
  EXPECT_EQ(found[0].trap, TrapClass::kEmulated);
  EXPECT_EQ(found[0].offset, 19u);
  EXPECT_EQ(behind(go_leaf_begin)[0].instruction.substr(0, 3), "jnz");
  EXPECT_TRUE(behind(go_new_begin).empty());
}

TEST(GoPlacement, FindsNothingInBytesThatAreNoCode) {
  const std::byte kNone[] = {std::byte{0x06}, std::byte{0x07}};
  EXPECT_TRUE(placements(kNone, kNone + 2).empty());
  EXPECT_TRUE(placements(kNone, kNone).empty());
}

}  // namespace
}  // namespace dwell
