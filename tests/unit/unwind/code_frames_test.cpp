// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/code_frames.h"

#include <elf.h>
#include <gtest/gtest.h>

#include "userspace/unwind/call_sites.h"
#include "userspace/unwind/unwind_table.h"

namespace dwell {
namespace {

constexpr std::uint64_t kCode = 0x1000;

// The rule that the analysis finds at an offset of code whose first byte is a function's.
class Analysis {
 public:
  explicit Analysis(std::string code) : code_(std::move(code)) {
    CodePiece piece = {kCode, code_};
    rows_ = merge_frames(analyze_code(std::span(&piece, 1), {kCode}, {}), {});
  }
  UnwindRule at(std::uint64_t offset) const {
    UnwindRule rule = kNoRule;
    for (const UnwindRow& row : rows_)
      if (row.vaddr <= kCode + offset) rule = row.rule;
    return rule;
  }
  std::string text(std::uint64_t offset) const {
    UnwindRule rule = at(offset);
    const char* cfa[] = {"none", "sp", "bp", "*sp", "*bp", "plt", "signal", "end", "unsupported"};
    std::string out = cfa[rule.cfa];
    if (rule.cfa == DWELL_CFA_SP || rule.cfa == DWELL_CFA_BP) out += "+" + std::to_string(rule.cfa_offset);
    if (rule.bp == DWELL_BP_AT_CFA) out += " bp" + std::to_string(rule.bp_offset);
    if (rule.bp == DWELL_BP_LOST) out += " lost";
    return out;
  }

 private:
  std::string code_;
  std::vector<UnwindRow> rows_;
};

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (int value : values) out.push_back(static_cast<char>(value));
  return out;
}

TEST(CodeFrames, FollowsPushesAndSubtractions) {
  // push %rbp; push %rbx; sub $8,%rsp; add $8,%rsp; pop %rbx; pop %rbp; ret
  Analysis code(bytes({0x55, 0x53, 0x48, 0x83, 0xec, 0x08, 0x48, 0x83, 0xc4, 0x08, 0x5b, 0x5d, 0xc3}));
  EXPECT_EQ(code.text(0), "sp+8");
  EXPECT_EQ(code.text(1), "sp+16 bp-16");
  EXPECT_EQ(code.text(2), "sp+24 bp-16");
  EXPECT_EQ(code.text(6), "sp+32 bp-16");
  EXPECT_EQ(code.text(11), "sp+16 bp-16");
  EXPECT_EQ(code.text(12), "sp+8");
}

TEST(CodeFrames, FollowsAFramePointerOverAnAlignedStack) {
  // push %rbp; mov %rsp,%rbp; and $-32,%rsp; nop; leave; ret
  Analysis code(bytes({0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe0, 0x90, 0xc9, 0xc3}));
  EXPECT_EQ(code.text(4), "sp+16 bp-16");
  EXPECT_EQ(code.text(8), "bp+16 bp-16");
  EXPECT_EQ(code.text(10), "sp+8");
}

TEST(CodeFrames, BothSidesOfABranch) {
  // test %edi,%edi; je 1f; push %rbx; nop; pop %rbx; ret; 1: nop; ret
  Analysis code(bytes({0x85, 0xff, 0x74, 0x04, 0x53, 0x90, 0x5b, 0xc3, 0x90, 0xc3}));
  EXPECT_EQ(code.text(5), "sp+16");
  EXPECT_EQ(code.text(8), "sp+8");
}

TEST(CodeFrames, CasesOfASwitchHaveTheFrameOfItsJump) {
  // push %rbx; jmp *%rax; nop; pop %rbx; ret
  Analysis code(bytes({0x53, 0xff, 0xe0, 0x90, 0x5b, 0xc3}));
  EXPECT_EQ(code.text(3), "sp+16");
}

TEST(CodeFrames, ACallThatDoesNotReturnEndsBeforePadding) {
  // push %rbx; call 2f; nops to 16; 2: push %rbp; nop
  Analysis code(
      bytes({0x53, 0xe8, 0x0a, 0, 0, 0, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x55, 0x90, 0xc3}));
  EXPECT_EQ(code.text(1), "sp+16");
  EXPECT_EQ(code.text(16), "sp+8");
  EXPECT_EQ(code.text(17), "sp+16 bp-16");
}

TEST(CodeFrames, ZeroingTheFramePointerIsTheOutermostFrame) {
  // xor %ebp,%ebp; and $-16,%rsp; call .
  Analysis code(bytes({0x31, 0xed, 0x48, 0x83, 0xe4, 0xf0, 0xe8, 0xfb, 0xff, 0xff, 0xff}));
  EXPECT_EQ(code.text(6), "end");
}

TEST(CodeFrames, AFrameOnARealignedStackKeepsTheOldStackPointer) {
  // lea 8(%rsp),%r10; and $-64,%rsp; push -8(%r10); push %rbp; mov %rsp,%rbp; push %r10; nop
  Analysis code(bytes({0x4c, 0x8d, 0x54, 0x24, 0x08, 0x48, 0x83, 0xe4, 0xc0, 0x41, 0xff,
                       0x72, 0xf8, 0x55, 0x48, 0x89, 0xe5, 0x41, 0x52, 0x90, 0xc3}));
  EXPECT_EQ(code.text(13), "unsupported");
  EXPECT_EQ(code.text(17), "none");  // [rbp] and [rbp + 8] are copies: by convention
  UnwindRule rule = code.at(19);
  EXPECT_EQ(rule.cfa, DWELL_CFA_DEREF_BP);
  EXPECT_EQ(rule.cfa_offset, -8 * 256);
  EXPECT_EQ(rule.bp, DWELL_BP_AT_BP);
}

TEST(CodeFrames, SaysWhatIsNotKnown) {
  // mov %rdi,%rsp; nop
  EXPECT_EQ(Analysis(bytes({0x48, 0x89, 0xfc, 0x90, 0xc3})).text(3), "unsupported");
  // mov %rdi,%rbp; nop
  EXPECT_EQ(Analysis(bytes({0x48, 0x89, 0xfd, 0x90, 0xc3})).text(3), "sp+8 lost");
  // ret; nop: never reached
  EXPECT_EQ(Analysis(bytes({0xc3, 0x90})).text(1), "none");
}

// The compiler's own description of the C library is the measure, at every call that the analysis reaches.
// What it has wrong are cold parts behind calls that never return, one after the other, which only their
// jumps tell apart.
TEST(CodeFrames, AgreesWithTheCompilersDescription) {
  for (const char* path : {"/lib/x86_64-linux-gnu/libc.so.6"}) {
    Result<ElfFile> elf = ElfFile::open(path);
    ASSERT_TRUE(elf);
    UnwindTable table = *build_unwind_table(*elf, TableRows::kFull);
    std::size_t right = 0, wrong = 0, unknown = 0;
    for (const ElfSegment& segment : elf->segments()) {
      if (!segment.executable) continue;
      std::string code = *elf->bytes_at(segment.vaddr, segment.file_size);
      CodePiece piece = {segment.vaddr, code};
      std::vector<std::uint64_t> entries;
      for (const ElfSymbol& symbol : elf->symbols())
        if (symbol.defined && symbol.type == STT_FUNC) entries.push_back(symbol.vaddr);
      std::vector<UnwindRow> rows = merge_frames(analyze_code(std::span(&piece, 1), entries, {}), {});
      std::size_t row = 0;
      for (std::uint64_t end :
           find_calls(code, segment.vaddr, segment.vaddr, segment.vaddr + code.size()).ends) {
        while (row + 1 < rows.size() && rows[row + 1].vaddr <= end) row++;
        UnwindRule wanted = table.full_rule_at(end), found = rows[row].rule;
        if (wanted.cfa != DWELL_CFA_SP && wanted.cfa != DWELL_CFA_BP) continue;
        if (found.cfa == DWELL_CFA_NONE || found.cfa == DWELL_CFA_UNSUPPORTED)
          unknown++;
        else if (found.cfa == DWELL_CFA_SP && wanted.cfa == DWELL_CFA_SP)
          (found.cfa_offset == wanted.cfa_offset ? right : wrong)++;
        else if (found.cfa == DWELL_CFA_BP && wanted.cfa == DWELL_CFA_BP)
          (found.cfa_offset == wanted.cfa_offset ? right : wrong)++;
      }
    }
    std::printf("%s: %zu right, %zu wrong, %zu not known\n", path, right, wrong, unknown);
    EXPECT_GT(right, 5000u) << path;
    EXPECT_LT(wrong * 50, right) << path;
  }
}

}  // namespace
}  // namespace dwell
