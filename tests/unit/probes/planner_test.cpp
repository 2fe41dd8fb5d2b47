// SPDX-License-Identifier: Apache-2.0
// The entry code here has the shape of what compilers make of real allocators' functions; the assembler
// gives the bytes, and the planner is asked where it would probe them.
#include "userspace/probes/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// CODE(name, text): bytes between name_begin and name_end, never executed.
#define CODE(name, text)                                                                                  \
  asm(".pushsection .text\n.globl " #name "_begin, " #name "_end\n" #name "_begin:\n" text "\n" #name "_end:\n" \
      ".popsection");                                                                                     \
  extern "C" const std::byte name##_begin[], name##_end[];

// free() of glibc without control-flow protection.
CODE(free_glibc,
     "test %rdi, %rdi\n je 1f\n push %rbp\n push %rbx\n sub $8, %rsp\n mov %rdi, %rbx\n call 1f\n"
     "add $8, %rsp\n pop %rbx\n pop %rbp\n ret\n nopl 0(%rax)\n 1: ret")
// The same as Ubuntu builds it.
CODE(free_endbr, "endbr64\n test %rdi, %rdi\n je 1f\n push %rbp\n mov %rdi, %rbp\n pop %rbp\n 1: ret")
CODE(free_jne, "test %rdi, %rdi\n jne 1f\n ret\n nopl 0(%rax)\n 1: push %rbp\n mov %rdi, %rbp\n pop %rbp\n ret")
CODE(free_jne_back, "1: push %rbp\n pop %rbp\n ret\n")
// jemalloc's fast path: nothing cheap before a comparison that has already used the pointer.
CODE(free_jemalloc,
     "mov %rdi, %rax\n mov %rdi, %rcx\n shr $26, %rax\n and $-1073741824, %rcx\n and $240, %eax\n"
     "add %fs:0, %rax\n cmp 432(%rax), %rcx\n jne 1f\n mov 440(%rax), %rdi\n 1: ret")
CODE(malloc_glibc, "push %r12\n push %rbp\n push %rbx\n mov %rdi, %rbx\n test %rdi, %rdi\n js 1f\n pop %rbx\n 1: ret")
CODE(malloc_endbr, "endbr64\n push %r12\n push %rbp\n mov %rdi, %rbp\n pop %rbp\n pop %r12\n ret")
// operator new of jemalloc: a comparison, then a branch, rsp still where the call left it.
CODE(new_jemalloc, "cmp $4096, %rdi\n ja 1f\n lea 7(%rdi), %rax\n mov %rdi, %rdx\n ret\n 1: push %rbx\n pop %rbx\n ret")
// mimalloc's and musl's exported names are jumps.
CODE(malloc_tail_jump, "jmp *0(%rip)")
CODE(malloc_relative_jump, "jmp malloc_glibc_begin")
CODE(free_patchable, ".byte 0x0f, 0x1f, 0x44, 0, 0\n push %rbp\n mov %rdi, %rbp\n pop %rbp\n ret")
CODE(free_red_zone, "mov %rdi, -8(%rsp)\n .byte 0x0f, 0x1f, 0x44, 0, 0\n mov -8(%rsp), %rax\n ret")
CODE(free_late_nop, "mov %rdi, 8(%rsp)\n .byte 0x0f, 0x1f, 0x44, 0, 0\n ret")
CODE(munmap_glibc, "mov $11, %eax\n syscall\n cmp $-4095, %rax\n jae 1f\n ret\n 1: ret")
CODE(free_list, "mov 0x1000(%rip), %rax\n mov %rax, (%rdi)\n mov %rdi, 0x1000(%rip)\n push %rbx\n pop %rbx\n ret")
// posix_memalign of glibc: the first push comes after an instruction that must be single-stepped.
CODE(memalign_glibc, "cmpb $0, 0x140201(%rip)\n push %r12\n mov %rdx, %r12\n push %rbp\n pop %rbp\n pop %r12\n ret")
CODE(memalign_clobbers, "mov %rdx, %rax\n xor %edx, %edx\n push %rbx\n pop %rbx\n ret")
CODE(loop_to_second, "mov %rdi, %rax\n 1: push %rbx\n pop %rbx\n dec %rax\n jne 1b\n ret")
CODE(free_frame, "mov 8(%rdi), %rax\n sub $0x88, %rsp\n jmp 1f\n 1: add $0x88, %rsp\n ret")
// malloc() of mimalloc: the size has moved when the first cheap instruction comes.
CODE(malloc_mimalloc,
     "mov 0x1000(%rip), %rax\n mov %rdi, %rsi\n mov %fs:(%rax), %rdi\n cmp $1024, %rsi\n ja 1f\n lea 7(%rsi), %rax\n"
     "ret\n 1: xor %ecx, %ecx\n ret")
CODE(swapped, "mov %rdi, %rax\n mov %rsi, %rdi\n mov %rax, %rsi\n push %rbx\n pop %rbx\n ret")
CODE(halved, "mov %edi, %esi\n push %rbx\n pop %rbx\n xor %edi, %edi\n ret")
// obj_ref() with a frame: what is walked at its entry begins at the caller's rbp.
CODE(ref_frame, "mov %rdi, %rax\n mov %rsp, %rbp\n push %rbx\n mov %rsi, %rbx\n xor %edi, %edi\n push %r12\n pop %r12\n pop %rbx\n ret")
CODE(unref, "lock subl $1, (%rdi)\n je 1f\n ret\n nopl 0(%rax)\n 1: push %rbx\n pop %rbx\n ret")
CODE(locked, "lock incl -64(%rsp)\n push %rbx\n pop %rbx\n ret")
CODE(aligned_stack, "mov %rsp, %rax\n and $-16, %rsp\n push %rbx\n ret")
CODE(null_test_forgotten, "test %rdi, %rdi\n cmp $1, %rsi\n je 1f\n push %rbx\n pop %rbx\n 1: ret")
CODE(free_of_changed, "test %rdi, %rdi\n mov 8(%rdi), %rdi\n je 1f\n push %rbx\n pop %rbx\n 1: ret")

namespace dwell {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kAddress = 0x9a000;

FunctionCode code_of(const std::byte* begin, const std::byte* end, std::uint64_t vaddr = kAddress) {
  return {std::span(begin, end), vaddr};
}
#define AT(name) code_of(name##_begin, name##_end)

const PlacementNeed kFree = need_of(DWELL_SHAPE_FREE_ARG0);
const PlacementNeed kMalloc = need_of(DWELL_SHAPE_SIZE_ARG0);
const TrapPrices kPrices;

Placement best(const FunctionCode& code, const PlacementNeed& need, TrapAbilities abilities = {}) {
  std::vector<Placement> placements = plan_placements(code, need, abilities, kPrices);
  EXPECT_FALSE(placements.empty());
  return placements.empty() ? Placement{} : placements.front();
}

TEST(Planner, FreeGoesBehindTheNullTest) {
  // The branch itself would do as well, and comes first.
  Placement placement = best(AT(free_glibc), kFree);
  EXPECT_EQ(placement.trap, TrapClass::kEmulated);
  EXPECT_EQ(placement.offset, 3u);
  EXPECT_EQ(placement.cfa_offset, 8u);
  EXPECT_THAT(placement.instruction, HasSubstr("jz"));
}

TEST(Planner, FallsBackFromTheBranchToThePushesAndLastToTheEntry) {
  std::vector<Placement> placements = plan_placements(AT(free_glibc), kFree, {}, kPrices);
  std::vector<std::uint32_t> offsets, cfa_offsets;
  for (const Placement& placement : placements) {
    offsets.push_back(placement.offset);
    cfa_offsets.push_back(placement.cfa_offset);
  }
  // je, push, push, call (emulated), then test, sub, mov (stepped).
  EXPECT_THAT(offsets, testing::ElementsAre(3, 5, 6, 14, 0, 7, 11));
  EXPECT_THAT(cfa_offsets, testing::ElementsAre(8, 8, 16, 32, 8, 24, 32));
}

TEST(Planner, EndbrIsSteppedOver) {
  Placement placement = best(AT(free_endbr), kFree);
  EXPECT_EQ(placement.offset, 7u);
  EXPECT_EQ(best(AT(malloc_endbr), kMalloc).offset, 4u);
  EXPECT_EQ(best(AT(malloc_endbr), kMalloc).trap, TrapClass::kEmulated);
}

TEST(Planner, FollowsTheBranchThatOnlyRealBlocksTake) {
  std::vector<Placement> placements = plan_placements(AT(free_jne), kFree, {}, kPrices);
  std::uint32_t push = 0;
  for (const Placement& placement : placements)
    if (placement.instruction.starts_with("push")) push = placement.offset;
  EXPECT_GT(push, 5u);  // behind the return for null
}

TEST(Planner, ABranchThatIsNoNullTestEndsTheWay) {
  for (const FunctionCode& code : {AT(null_test_forgotten), AT(free_of_changed)}) {
    for (const Placement& placement : plan_placements(code, kFree, {}, kPrices))
      EXPECT_THAT(placement.instruction, testing::Not(HasSubstr("push")));
  }
}

TEST(Planner, NullMattersToAllocators) {
  for (const Placement& placement : plan_placements(AT(free_glibc), kMalloc, {}, kPrices))
    EXPECT_LE(placement.offset, 3u);
}

TEST(Planner, JemallocsFreeIsProbedAtItsFirstBranch) {
  Placement placement = best(AT(free_jemalloc), kFree);
  EXPECT_EQ(placement.trap, TrapClass::kEmulated);
  EXPECT_THAT(placement.instruction, HasSubstr("jnz"));
  EXPECT_EQ(placement.cfa_offset, 8u);
}

TEST(Planner, AReturnProbeNeedsTheReturnAddressOnTop) {
  for (const Placement& placement : plan_placements(AT(malloc_glibc), kMalloc, {}, kPrices)) {
    EXPECT_EQ(placement.cfa_offset, 8u);
    EXPECT_EQ(placement.offset, 0u);
  }
  EXPECT_EQ(best(AT(malloc_glibc), kMalloc).trap, TrapClass::kEmulated);
  EXPECT_THAT(best(AT(new_jemalloc), kMalloc).instruction, HasSubstr("jnbe"));
}

TEST(Planner, TheReturnIsPartOfThePrice) {
  EXPECT_DOUBLE_EQ(best(AT(malloc_glibc), kMalloc).cost_ns, kPrices.entry_ns[1] + kPrices.return_ns);
  EXPECT_DOUBLE_EQ(best(AT(free_glibc), kFree).cost_ns, kPrices.entry_ns[1]);
}

TEST(Planner, AJumpToElsewhereIsEmulatedOnlyIfRelative) {
  EXPECT_EQ(best(AT(malloc_tail_jump), kMalloc).trap, TrapClass::kStepped);
  EXPECT_EQ(best(AT(malloc_relative_jump), kMalloc).trap, TrapClass::kEmulated);
}

TEST(Planner, ANopIsBestWhereTheKernelMakesItACall) {
  EXPECT_EQ(best(AT(free_patchable), kFree).offset, 5u);
  EXPECT_EQ(best(AT(free_patchable), kFree, {.long_nops_emulated = true}).offset, 0u);
  Placement nop = best(AT(free_patchable), kFree, {.nop5_is_a_call = true});
  EXPECT_EQ(nop.offset, 0u);
  EXPECT_EQ(nop.trap, TrapClass::kNop5);
  // Across two pages it cannot be rewritten.
  FunctionCode crossing = code_of(free_patchable_begin, free_patchable_end, 0x9affd);
  EXPECT_EQ(best(crossing, kFree, {.nop5_is_a_call = true}).trap, TrapClass::kEmulated);
}

TEST(Planner, WhatIsGivenBackIsToldBeforeOthersCanHaveIt) {
  for (const Placement& place : plan_placements(AT(munmap_glibc), need_of(DWELL_SHAPE_MUNMAP), {}, kPrices))
    EXPECT_LE(place.offset, 5u);  // the system call itself at the latest
  for (const Placement& place : plan_placements(AT(free_list), kFree, {}, kPrices))
    EXPECT_THAT(place.instruction, testing::Not(HasSubstr("push")));
}

TEST(Planner, ANopBecomesNoCallAboveUsedMemory) {
  for (const Placement& place : plan_placements(AT(free_red_zone), kFree, {.nop5_is_a_call = true}, kPrices))
    EXPECT_NE(place.trap, TrapClass::kNop5);
  EXPECT_EQ(best(AT(free_late_nop), kFree, {.nop5_is_a_call = true}).trap, TrapClass::kNop5);
}

TEST(Planner, OnlyTheArgumentsThatAreNeededMustBeIntact) {
  EXPECT_EQ(best(AT(memalign_glibc), need_of(DWELL_SHAPE_MEMALIGN_OUT)).offset, 7u);
  EXPECT_EQ(best(AT(memalign_clobbers), need_of(DWELL_SHAPE_MEMALIGN_OUT)).trap, TrapClass::kStepped);
  EXPECT_EQ(best(AT(memalign_clobbers), need_of(DWELL_SHAPE_SIZE_ARG1)).trap, TrapClass::kEmulated);
}

TEST(Planner, AnArgumentIsFollowedToAnotherRegister) {
  Placement placement = best(AT(malloc_mimalloc), kMalloc);
  EXPECT_THAT(placement.instruction, HasSubstr("jnbe"));
  EXPECT_EQ(placement.shape, DWELL_SHAPE_SIZE_ARG1);
  for (const Placement& place : plan_placements(AT(malloc_mimalloc), kMalloc, {}, kPrices))
    EXPECT_EQ(place.shape, place.offset <= 10 ? DWELL_SHAPE_SIZE_ARG0 : DWELL_SHAPE_SIZE_ARG1);
  // Through a register that carries no argument it is lost sight of.
  for (const Placement& place : plan_placements(AT(swapped), need_of(DWELL_SHAPE_SIZE_ARG0), {}, kPrices))
    EXPECT_LE(place.offset, 3u);
  EXPECT_EQ(best(AT(swapped), need_of(DWELL_SHAPE_SIZE_ARG1)).shape, DWELL_SHAPE_SIZE_ARG0);
  // Half of it is not it, but the whole is still where it was.
  EXPECT_EQ(best(AT(halved), kMalloc).shape, DWELL_SHAPE_SIZE_ARG0);
}

// Whichever argument is meant: all of them are where they came in.
TEST(Planner, WhatPairsTakeAndGiveIsReadBeforeAnyArgumentIsGone) {
  for (const Placement& place : plan_placements(AT(ref_frame), need_of(DWELL_SHAPE_GIVE), {}, kPrices)) EXPECT_LE(place.offset, 10u);
  EXPECT_EQ(best(AT(ref_frame), need_of(DWELL_SHAPE_GIVE)).offset, 6u) << "the push";
}

// Where it must be, behind the store too: the kernel refuses to probe the first instruction of such a function.
TEST(Planner, AReferenceCountThatGoesDownAtOnceIsSeenBehindThat) {
  PlacementNeed need = need_of(DWELL_SHAPE_GIVE);
  EXPECT_TRUE(plan_placements(AT(unref), need, {}, kPrices).empty());
  need.shape = DWELL_SHAPE_TAKE_ARGUMENT;
  EXPECT_EQ(best(AT(unref), need).offset, 4u) << "the branch";
}

TEST(Planner, AStackThatIsWalkedFromAnEntryNeedsTheCallersFramePointer) {
  for (const Placement& place : plan_placements(AT(ref_frame), need_of(DWELL_SHAPE_TAKE_ARGUMENT), {}, kPrices)) EXPECT_LE(place.offset, 3u);
}

TEST(Planner, WhatALoopExecutesAgainIsNoPlace) {
  Placement placement = best(AT(loop_to_second), kMalloc);
  EXPECT_EQ(placement.offset, 0u);
  EXPECT_EQ(plan_placements(AT(loop_to_second), kMalloc, {}, kPrices).size(), 1u);
}

TEST(Planner, WhatOtherCodeJumpsIntoIsNoPlace) {
  const std::uint64_t kInside[] = {kAddress + 5};
  for (const Placement& placement : plan_placements(AT(free_glibc), kFree, {}, kPrices, kInside))
    EXPECT_LT(placement.offset, 5u);
  // A call to the byte behind endbr64 is a call like others.
  const std::uint64_t kBehindEndbr[] = {kAddress + 4};
  EXPECT_EQ(plan_placements(AT(free_endbr), kFree, {}, kPrices, kBehindEndbr).front().offset, 7u);
}

TEST(Planner, WithoutTheWholeFunctionOnlyTheEntryIsSafe) {
  FunctionCode code = AT(free_glibc);
  code.complete = false;
  std::vector<Placement> placements = plan_placements(code, kFree, {}, kPrices);
  ASSERT_EQ(placements.size(), 1u);
  EXPECT_EQ(placements[0].offset, 0u);
}

TEST(Planner, TheFrameBelowIsAccountedFor) {
  Placement placement = best(AT(free_frame), kFree);
  EXPECT_THAT(placement.instruction, HasSubstr("jmp"));
  EXPECT_EQ(placement.cfa_offset, 8u + 0x88u);
}

TEST(Planner, AStackThatCannotBeFollowedEndsTheWay) {
  for (const Placement& placement : plan_placements(AT(aligned_stack), kFree, {}, kPrices))
    EXPECT_LE(placement.offset, 3u);
}

TEST(Planner, WhatTheKernelRefusesIsNotProposed) {
  Placement placement = best(AT(locked), kFree);
  EXPECT_THAT(placement.instruction, HasSubstr("push"));
}

TEST(Planner, RandomBytesAreSurvived) {
  std::uint64_t state = 0x9e3779b97f4a7c15;
  std::vector<std::byte> bytes(64);
  for (int round = 0; round < 20000; ++round) {
    for (std::byte& byte : bytes) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      byte = static_cast<std::byte>(state);
    }
    std::size_t size = state % (bytes.size() + 1);
    for (const Placement& placement : plan_placements({std::span(bytes).first(size), kAddress}, kFree, {}, kPrices))
      ASSERT_LT(placement.offset, size);
  }
}

TEST(BranchTargets, AreFoundAtAnyAlignment) {
  // call +0x10 at offset 1: leads to 0x1000 + 1 + 5 + 0x10.
  const unsigned char kText[] = {0x90, 0xe8, 0x10, 0, 0, 0, 0xc3, 0xe9, 0xf4, 0xff, 0xff, 0xff};
  auto text = std::as_bytes(std::span(kText));
  const BranchRange kRanges[] = {{0x1016, 0x1017}, {0x2000, 0x2001}};
  EXPECT_THAT(branch_targets_within(text, 0x1000, kRanges), testing::ElementsAre(0x1016));
  const BranchRange kItself[] = {{0x1000, 0x1001}};
  EXPECT_THAT(branch_targets_within(text, 0x1000, kItself), testing::ElementsAre(0x1000));
  EXPECT_TRUE(branch_targets_within(text, 0x1000, {}).empty());
  // jne +0, and the displacement of an ordinary instruction, which leads nowhere.
  const unsigned char kMore[] = {0x0f, 0x85, 0, 0, 0, 0, 0x8b, 0x05, 0, 0, 0, 0};
  const BranchRange kAll[] = {{0x1000, 0x1100}};
  EXPECT_THAT(branch_targets_within(std::as_bytes(std::span(kMore)), 0x1000, kAll), testing::ElementsAre(0x1006));
}

}  // namespace
}  // namespace dwell
