// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/code_signs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace dwell {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::string_view_literals;

TEST(CodeSigns, BreakpointsAreToldFromOtherChanges) {
  CodeDifference same = compare_code("abcd", "abcd");
  EXPECT_EQ(same.bytes, 0u);
  CodeDifference probed = compare_code("abcd", "\xcc" "bc" "\xcc");
  EXPECT_EQ(probed.bytes, 2u);
  EXPECT_EQ(probed.breakpoints, 2u);
  CodeDifference hooked = compare_code("abcd", "\xe9xcd");
  EXPECT_EQ(hooked.bytes, 2u);
  EXPECT_EQ(hooked.breakpoints, 0u);
}

TEST(CodeSigns, DirtyMappingsAreFoundByTheirStart) {
  EXPECT_THAT(dirty_mappings("7f0000001000-7f0000002000 r-xp 00001000 08:01 7 /usr/lib/liba.so\n"
                             "Size:                  4 kB\nPrivate_Dirty:         4 kB\nAnonymous:  4 kB\n"
                             "7f0000003000-7f0000004000 r-xp 00001000 08:01 8 /usr/lib/libb.so\n"
                             "Private_Dirty:         0 kB\nVmFlags: rd ex mr mw me\n"),
              ElementsAre(0x7f0000001000));
  EXPECT_THAT(dirty_mappings(""), IsEmpty());
  EXPECT_THAT(dirty_mappings("Private_Dirty:"), IsEmpty());
}

std::vector<Mapping> maps(const char* text) { return parse_maps(text); }

TEST(CodeSigns, CodeThatMayBeWrittenOrIsNoLongerTheFiles) {
  EXPECT_THAT(signs_in(maps("1000-2000 r-xp 00001000 08:01 7 /usr/lib/liba.so\n")), IsEmpty());
  EXPECT_THAT(signs_in(maps("1000-2000 rwxp 00001000 08:01 7 /usr/lib/liba.so\n")), ElementsAre(HasSubstr("written to")));
  EXPECT_THAT(signs_in(maps("1000-2000 r-xp 00001000 08:01 7 /usr/lib/liba.so\n"
                            "2000-3000 r-xp 00000000 00:00 0 \n"
                            "3000-4000 r-xp 00003000 08:01 7 /usr/lib/liba.so\n")),
              ElementsAre(HasSubstr("4096 bytes of the code of /usr/lib/liba.so were replaced")));
  // A just-in-time compiler's memory beside a library is none.
  EXPECT_THAT(signs_in(maps("1000-2000 r-xp 00001000 08:01 7 /usr/lib/liba.so\n"
                            "2000-3000 rwxp 00000000 00:00 0 \n"
                            "3000-4000 r-xp 00003000 08:01 8 /usr/lib/libb.so\n")),
              IsEmpty());
  EXPECT_THAT(signs_in(maps("1000-2000 r-xp 00001000 08:01 7 /tmp/frida-agent-64.so\n")), ElementsAre(HasSubstr("hooks")));
}

TEST(CodeSigns, PreloadedLibraries) {
  EXPECT_THAT(preloaded("A=1\0LD_PRELOAD=libx.so:/opt/y.so z.so\0B=2\0"sv), ElementsAre("libx.so", "/opt/y.so", "z.so"));
  EXPECT_THAT(preloaded("NOT_LD_PRELOAD=libx.so\0"sv), IsEmpty());
}

__attribute__((noinline, aligned(64))) int patched() {
  asm volatile("");
  return 1;
}

// The real thing: this process rewrites a function of its own.
TEST(CodeSigns, OfAProcessThatRewroteItsCode) {
  auto rewritten = [] {
    Result<std::vector<Mapping>> mappings = read_maps(getpid());
    return mappings ? code_signs(getpid(), *mappings, {}) : std::vector<std::string>{};
  };
  EXPECT_THAT(rewritten(), testing::Not(Contains(HasSubstr("rewrites code"))));
  auto* code = reinterpret_cast<unsigned char*>(&patched);
  auto* page = reinterpret_cast<unsigned char*>(reinterpret_cast<std::uintptr_t>(code) & ~std::uintptr_t{4095});
  unsigned char before[2] = {code[0], code[1]};
  ASSERT_EQ(mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  code[0] ^= 1;
  code[1] ^= 1;
  EXPECT_THAT(rewritten(), Contains(HasSubstr("written to")));
  ASSERT_EQ(mprotect(page, 8192, PROT_READ | PROT_EXEC), 0);
  EXPECT_THAT(rewritten(), Contains(HasSubstr("2 bytes of the code of")));
  ASSERT_EQ(mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  std::memcpy(code, before, 2);
  ASSERT_EQ(mprotect(page, 8192, PROT_READ | PROT_EXEC), 0);
}

}  // namespace
}  // namespace dwell
