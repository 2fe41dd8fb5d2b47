// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/call_sites.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

using Ends = std::vector<std::uint64_t>;

Ends ends_of(const std::string& code) { return find_calls(code, 0x1000, 0x1000, 0x2000).ends; }

TEST(CallSites, FindsEveryFormOfCall) {
  EXPECT_EQ(ends_of(std::string("\x90\xe8\x10\x00\x00\x00", 6)), Ends{0x1005});      // call rel32
  EXPECT_EQ(ends_of("\xff\xd0"), Ends{0x1001});                                      // call *%rax
  EXPECT_EQ(ends_of("\x41\xff\xd4"), Ends{0x1002});                                  // call *%r12
  EXPECT_EQ(ends_of("\xff\x10"), Ends{0x1001});                                      // call *(%rax)
  EXPECT_EQ(ends_of("\xff\x50\x18"), Ends{0x1002});                                  // call *0x18(%rax)
  EXPECT_EQ(ends_of(std::string("\xff\x90\x80\x01\x00\x00", 6)), Ends{0x1005});      // call *0x180(%rax)
  EXPECT_EQ(ends_of(std::string("\xff\x15\x00\x10\x00\x00", 6)), Ends{0x1005});      // call *0x1000(%rip)
  EXPECT_EQ(ends_of("\xff\x14\xc8"), Ends{0x1002});                                  // call *(%rax,%rcx,8)
  EXPECT_EQ(ends_of("\xff\x54\x24\x08"), Ends{0x1003});                              // call *8(%rsp)
  EXPECT_EQ(ends_of(std::string("\xff\x14\xc5\x00\x00\x00\x00", 7)), Ends{0x1006});  // call *0(,%rax,8)
  EXPECT_EQ(ends_of("\x0f\x05"), Ends{0x1001});                                      // syscall
}

TEST(CallSites, JumpsAndPushesAreNone) {
  EXPECT_EQ(ends_of("\xff\xe0"), Ends{});                              // jmp *%rax
  EXPECT_EQ(ends_of("\xff\x75\x08"), Ends{});                          // push 8(%rbp)
  EXPECT_EQ(ends_of(std::string("\xe9\x10\x00\x00\x00", 5)), Ends{});  // jmp rel32
}

TEST(CallSites, ADirectCallLeadsIntoTheModule) {
  EXPECT_EQ(ends_of(std::string("\xe8\x00\x00\x00\x70", 5)), Ends{});
  EXPECT_EQ(ends_of(std::string("\xe8\xfb\xff\xff\xff", 5)), Ends{0x1004});  // to itself
}

TEST(CallSites, CutOffCallsAreNone) {
  EXPECT_EQ(ends_of(std::string("\xe8\x10\x00", 3)), Ends{});
  EXPECT_EQ(ends_of("\xff"), Ends{});
  EXPECT_EQ(ends_of("\xff\x54\x24"), Ends{});
}

TEST(CallSites, OverlappingCandidatesComeInOrder) {
  // call *0x...(%rax) whose displacement itself looks like a call
  Ends ends = ends_of(std::string("\xff\x90\xff\xd0\x00\x00", 6));
  EXPECT_EQ(ends, (Ends{0x1003, 0x1005}));
}

}  // namespace
}  // namespace dwell
