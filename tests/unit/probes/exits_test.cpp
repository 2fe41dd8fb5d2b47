// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/exits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "userspace/probes/attach.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Exits : public testing::Test {
 protected:
  Exits() : elf_(ElfFile::open(EXITS_LIBRARY)) {}

  std::uint64_t address_of(const std::string& name) {
    for (const ElfSymbol& symbol : elf_->symbols())
      if (symbol.defined && symbol.name == name) return symbol.vaddr;
    ADD_FAILURE() << "no " << name;
    return 0;
  }
  FunctionExits of(const std::string& name, const std::set<std::uint64_t>& seen_to_return = {}) {
    AllocFunction function{.name = name,
                           .aliases = {},
                           .family = AllocFamily::kCxx,
                           .shape = DWELL_SHAPE_SIZE_ARG0,
                           .vaddr = address_of(name),
                           .size = 0,
                           .file_offset = 0};
    return find_exits(*elf_, CallTargets(*elf_), FunctionRanges(*elf_), function, seen_to_return);
  }
  // All of what is found are return instructions.
  void expect(const std::string& name, std::size_t count) {
    FunctionExits found = of(name);
    EXPECT_EQ(found.why_not, "") << name;
    EXPECT_EQ(found.vaddrs.size() + found.branches.size(), count) << name;
    for (std::uint64_t vaddr : found.vaddrs) {
      Result<std::string> byte = elf_->bytes_at(vaddr, 1);
      EXPECT_TRUE(byte && (*byte)[0] == '\xc3') << name << " " << vaddr;
    }
  }

  Result<ElfFile> elf_;
};

TEST_F(Exits, AreAllReturnsOfTheFunction) {
  expect("one_return", 1);
  expect("two_returns", 2);
  expect("switches", 2);
}

TEST_F(Exits, AreThoseOfTheCodeThatItJumpsTo) {
  expect("tail_jump", 2);
  expect("tail_jump_by_table", 2);
  expect("into_the_middle", 3);
  expect("by_register", 2);
}

TEST_F(Exits, OfWhatIsSeenToReturnAreNotNeeded) {
  expect("to_malloc", 1);
  EXPECT_THAT(of("tail_jump", {address_of("slow_way")}).vaddrs, IsEmpty());
}

TEST_F(Exits, ThatCannotAllBeFoundAreNone) {
  for (auto [name, why] : {std::pair("by_unknown_register", "chosen while it runs"), std::pair("to_another_module", "puts"),
                           std::pair("never_comes_back", "never returns")}) {
    FunctionExits found = of(name);
    EXPECT_THAT(found.why_not, HasSubstr(why)) << name;
    EXPECT_THAT(found.vaddrs, IsEmpty()) << name;
    EXPECT_THAT(found.branches, IsEmpty()) << name;
  }
}

TEST_F(Exits, ABranchThatDecidesTakesThePlaceOfTheReturn) {
  FunctionExits found = of("decided");
  ASSERT_EQ(found.branches.size(), 1u);
  EXPECT_EQ(found.vaddrs.size(), 1u);  // behind the call
  const EarlyExit& exit = found.branches[0];
  EXPECT_EQ(exit.vaddr, address_of("decided") + 3);
  EXPECT_EQ(exit.condition, 4);  // je
  EXPECT_FALSE(exit.taken);
  EXPECT_EQ(exit.result, 7);  // rdi
  EXPECT_EQ(exit.cfa_offset, 8u);
  EXPECT_LT(exit.bp_offset, 0);
}

TEST_F(Exits, ABranchKnowsItsFrame) {
  FunctionExits found = of("decided_when_taken");
  ASSERT_EQ(found.branches.size(), 1u);
  EXPECT_TRUE(found.branches[0].taken);
  EXPECT_EQ(found.branches[0].result, 0);
  EXPECT_EQ(found.branches[0].cfa_offset, 16u);
  EXPECT_EQ(found.branches[0].bp_offset, 0);
}

TEST_F(Exits, ALastCallThatReturnsItsArgumentIsOne) {
  FunctionExits found = of("clears_last");
  EXPECT_EQ(found.why_not, "");
  std::size_t handed_on = 0;
  for (const EarlyExit& exit : found.branches) handed_on += exit.condition == kAlways && exit.result == 7;
  EXPECT_EQ(handed_on, 1u);
}

TEST_F(Exits, ABranchThatDoesNotDecideTakesNoPlace) {
  for (const char* name : {"shared_return", "computed_result", "lost_frame"}) {
    EXPECT_THAT(of(name).branches, IsEmpty()) << name;
    EXPECT_THAT(of(name).vaddrs, testing::Not(IsEmpty())) << name;
  }
}

TEST_F(Exits, ABranchWhereTheEntryIsProbedIsNotTaken) {
  AllocFunction function{.name = "decided",
                         .aliases = {},
                         .family = AllocFamily::kCxx,
                         .shape = DWELL_SHAPE_SIZE_ARG0,
                         .vaddr = address_of("decided"),
                         .size = 0,
                         .file_offset = 0};
  FunctionExits found = find_exits(*elf_, CallTargets(*elf_), FunctionRanges(*elf_), function, {}, {function.vaddr + 3});
  EXPECT_THAT(found.branches, IsEmpty());
  EXPECT_EQ(found.vaddrs.size(), 2u);
}

// Against the processor: every condition under every combination of the flags that it may look at.
template <unsigned kCondition>
bool processor_jumps(std::uint64_t flags) {
  unsigned char taken;
  asm volatile(
      "lea -128(%%rsp),%%rsp\n\tpushfq\n\tpushq %1\n\tpopfq\n\t.byte 0x0f, %c2, 0xc0\n\t"  // set... %al
      "popfq\n\tlea 128(%%rsp),%%rsp"
      : "=&a"(taken)
      : "r"(flags), "i"(0x90 + kCondition)
      : "cc", "memory");
  return taken != 0;
}
template <unsigned kCondition>
void check_condition(std::uint64_t flags) {
  EXPECT_EQ(dwell_jump_is_taken(kCondition, flags) != 0, processor_jumps<kCondition>(flags)) << kCondition << " " << flags;
}
template <unsigned... kConditions>
void compare_with_the_processor(std::integer_sequence<unsigned, kConditions...>) {
  constexpr std::uint64_t kAlways = 2;
  for (unsigned bits = 0; bits < 32; ++bits) {
    std::uint64_t flags = kAlways | (bits & 1) | (bits >> 1 & 1) << 2 | (bits >> 2 & 1) << 6 | (bits >> 3 & 1) << 7 |
                          static_cast<std::uint64_t>(bits >> 4 & 1) << 11;
    (check_condition<kConditions>(flags), ...);
  }
}
TEST(EarlyExit, ConditionsAreTheProcessors) {
  compare_with_the_processor(std::make_integer_sequence<unsigned, 16>{});
}

TEST_F(Exits, FunctionsBeginWhereTheirFrameInformationSays) {
  FunctionRanges ranges(*elf_);
  std::uint64_t begin = address_of("two_returns");
  EXPECT_TRUE(ranges.begins_at(begin));
  EXPECT_FALSE(ranges.begins_at(begin + 1));
  ASSERT_TRUE(ranges.containing(begin + 1));
  EXPECT_EQ(ranges.containing(begin + 1)->start, begin);
  EXPECT_EQ(ranges.containing(begin + 1)->end, address_of("slow_way"));
  EXPECT_FALSE(ranges.containing(1));
}

TEST(ShadowStack, IsToldByTheStatus) {
  EXPECT_TRUE(shadow_stack_in("Name:\tx\nx86_Thread_features:\tshstk \nx86_Thread_features_locked:\tshstk wrss \n"));
  EXPECT_FALSE(shadow_stack_in("Name:\tx\nx86_Thread_features:\t\nx86_Thread_features_locked:\tshstk wrss \n"));
  EXPECT_FALSE(shadow_stack_in("Name:\tx\n"));
}

}  // namespace
}  // namespace dwell
