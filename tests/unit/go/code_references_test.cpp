// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/code_references.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(CodeReferences, TellsLoadsFromAddresses) {
  // mov rax, [rip+0x10]; lea rbx, [rip+0x20]; add rcx, rdx; ret
  std::string code("\x48\x8b\x05\x10\0\0\0\x48\x8d\x1d\x20\0\0\0\x48\x01\xd1\xc3", 18);
  std::vector<CodeReference> found = code_references(code, 0x1000);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].target, 0x1000u + 7 + 0x10);
  EXPECT_FALSE(found[0].is_address);
  EXPECT_EQ(found[1].target, 0x1000u + 14 + 0x20);
  EXPECT_TRUE(found[1].is_address);
}

TEST(CodeReferences, CountsAnOperandBehindTheDisplacement) {
  // cmp dword [rip+0x10], 5: the target counts from behind the 5.
  std::string code("\x83\x3d\x10\0\0\0\x05", 7);
  std::vector<CodeReference> found = code_references(code, 0x1000);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].target, 0x1000u + 7 + 0x10);
}

TEST(CodeReferences, EndsWhereNothingCanBeDecoded) {
  EXPECT_TRUE(code_references(std::string("\x06\x48\x8b\x05\x10\0\0\0", 8), 0x1000).empty());
  EXPECT_TRUE(code_references("\x48\x8b\x05", 0x1000).empty());
}

}  // namespace
}  // namespace dwell
