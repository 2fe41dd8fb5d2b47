// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/eh_frame.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/unwind/cfi_bytes.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSection = 0x4000, kCode = 0x1000;

FrameRows parse(const std::string& section) {
  return parse_frames(section, kSection, FrameSection::kEhFrame);
}

// The rows of a function of 0x40 bytes with these instructions.
std::vector<UnwindRow> rows_of(const std::string& instructions, const std::string& the_cie = cie()) {
  FrameRows frames = parse(section_of(kSection, kCode, 0x40, instructions, the_cie));
  EXPECT_EQ(frames.bad_entries, 0u);
  EXPECT_EQ(frames.ranges.size(), 1u);
  return frames.rows;
}

UnwindRule sp(int offset, int bp_offset = 0) {
  return {offset, static_cast<__s16>(bp_offset), DWELL_CFA_SP,
          static_cast<__u8>(bp_offset ? DWELL_BP_AT_CFA : DWELL_BP_SAME)};
}
UnwindRule bp(int offset, int bp_offset) {
  return {offset, static_cast<__s16>(bp_offset), DWELL_CFA_BP, DWELL_BP_AT_CFA};
}

void expect_rows(const std::vector<UnwindRow>& got, const std::vector<UnwindRow>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); i++) {
    EXPECT_EQ(got[i].vaddr, wanted[i].vaddr) << "row " << i;
    EXPECT_TRUE(got[i].rule == wanted[i].rule)
        << "row " << i << ": cfa " << int(got[i].rule.cfa) << " " << got[i].rule.cfa_offset << " bp "
        << int(got[i].rule.bp) << " " << got[i].rule.bp_offset;
  }
}

TEST(EhFrame, FollowsAFunctionWithAFramePointer) {
  // push %rbp; mov %rsp,%rbp; ...; leave
  std::string instructions =
      "\x41"           // advance 1
      "\x0e\x10"       // cfa = rsp + 16
      "\x86\x02"       // rbp at cfa - 16
      "\x43"           // advance 3
      "\x0d\x06"       // cfa register rbp
      "\x02\x20"       // advance 0x20
      "\x0c\x07\x08";  // cfa = rsp + 8
  expect_rows(
      rows_of(instructions),
      {{kCode, sp(8)}, {kCode + 1, sp(16, -16)}, {kCode + 4, bp(16, -16)}, {kCode + 0x24, sp(8, -16)}});
}

TEST(EhFrame, RemembersAndRestores) {
  std::string instructions =
      "\x41\x0e\x20"  // cfa = rsp + 32
      "\x44\x0a"      // remember
      "\x0e\x08"      // cfa = rsp + 8: an early return
      "\x41\x0b";     // restore
  expect_rows(rows_of(instructions),
              {{kCode, sp(8)}, {kCode + 1, sp(32)}, {kCode + 5, sp(8)}, {kCode + 6, sp(32)}});
}

TEST(EhFrame, RestoresARegisterToItsInitialRule) {
  expect_rows(rows_of("\x41\x0e\x10\x86\x02\x41\xc6"),
              {{kCode, sp(8)}, {kCode + 1, sp(16, -16)}, {kCode + 2, sp(16)}});
}

TEST(EhFrame, KeepsOffsetsOfMoreThan16Bits) {
  // def_cfa_offset 181312, as libLLVM has it
  expect_rows(rows_of(std::string("\x44\x0e\xc0\x88\x0b", 5)), {{kCode, sp(8)}, {kCode + 4, sp(181312)}});
}

TEST(EhFrame, MergesRowsThatSayTheSame) {
  // Only rbx is saved: nothing that a stack walk needs.
  expect_rows(rows_of("\x41\x83\x02\x41\x8c\x03"), {{kCode, sp(8)}});
}

TEST(EhFrame, UndefinedReturnAddressIsTheEnd) {
  expect_rows(rows_of("\x07\x10"), {{kCode, {0, 0, DWELL_CFA_END, DWELL_BP_SAME}}});
}

TEST(EhFrame, SignalFrameIsMarked) {
  expect_rows(rows_of("", cie(kUsualStart, "S")), {{kCode, {0, 0, DWELL_CFA_SIGNAL, DWELL_BP_SAME}}});
}

TEST(EhFrame, LinkersPltExpression) {
  std::string expression("\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", 11);
  expect_rows(rows_of("\x0f\x0b" + expression), {{kCode, {11, 0, DWELL_CFA_PLT, DWELL_BP_SAME}}});
}

TEST(EhFrame, RealignedFrame) {
  // lea 8(%rsp),%r10; and $-32,%rsp; ...: the cfa is what lies at rbp - 8, and rbp is saved at rbp
  std::string instructions =
      std::string("\x45\x10\x06\x02\x76\x00", 6) + std::string("\x0f\x03\x76\x78\x06", 5);
  expect_rows(rows_of(instructions),
              {{kCode, sp(8)}, {kCode + 5, {-8 * 256, 0, DWELL_CFA_DEREF_BP, DWELL_BP_AT_BP}}});
}

TEST(EhFrame, DereferencedStackSlotWithAddend) {
  // cfa = *(rsp + 120) + 8, as hand-written crypto code says it
  std::string expression("\x77\xf8\x00\x06\x23\x08", 6);
  expect_rows(rows_of("\x0f\x06" + expression),
              {{kCode, {120 * 256 + 8, 0, DWELL_CFA_DEREF_SP, DWELL_BP_SAME}}});
}

TEST(EhFrame, AnotherRegisterIsUnsupported) {
  expect_rows(rows_of(std::string("\x41\x0c\x00\x08", 4)),
              {{kCode, sp(8)}, {kCode + 1, {0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME}}});
}

TEST(EhFrame, SaysWhenRbpIsLost) {
  UnwindRule lost = sp(8);
  lost.bp = DWELL_BP_LOST;
  expect_rows(rows_of(std::string("\x41\x09\x06\x00", 4)),
              {{kCode, sp(8)}, {kCode + 1, lost}});  // rbp is in rax
}

TEST(EhFrame, DebugFrameHasAbsoluteAddresses) {
  std::string the_cie =
      with_length(CfiBytes().u32(0xffffffff).u8(3).text("").u8(1).u8(0x78).u8(16).ops(kUsualStart).bytes());
  std::string the_fde = with_length(
      CfiBytes().u32(0).fixed(std::uint64_t{kCode}).fixed(std::uint64_t{0x10}).ops("\x41\x0e\x10").bytes());
  FrameRows frames = parse_frames(the_cie + the_fde, 0, FrameSection::kDebugFrame);
  ASSERT_EQ(frames.ranges.size(), 1u);
  EXPECT_EQ(frames.ranges[0].end, kCode + 0x10);
  expect_rows(frames.rows, {{kCode, sp(8)}, {kCode + 1, sp(16)}});
}

TEST(EhFrame, GoesOnBehindATerminator) {
  std::string first = section_of(kSection, kCode, 0x10, "");
  std::string both = first + std::string(4, '\0');
  both += fde(both.size(), kSection, kCode + 0x10, 0x10, "");
  EXPECT_EQ(parse(both).ranges.size(), 2u);
}

TEST(EhFrame, SkipsWhatTheLinkerDropped) {
  EXPECT_TRUE(parse(section_of(kSection, 0, 0x10, "")).ranges.empty());
  EXPECT_TRUE(parse(section_of(kSection, kCode, 0, "")).ranges.empty());
}

TEST(EhFrame, CountsABadEntryAndReadsTheNext) {
  std::string section = section_of(kSection, kCode, 0x10, "\x3f");  // no such instruction
  section += fde(section.size(), kSection, kCode + 0x10, 0x10, "");
  FrameRows frames = parse(section);
  EXPECT_EQ(frames.bad_entries, 1u);
  ASSERT_EQ(frames.ranges.size(), 1u);
  EXPECT_EQ(frames.ranges[0].begin, kCode + 0x10);
  EXPECT_EQ(frames.rows.size(), frames.ranges[0].first_row + frames.ranges[0].row_count);
}

TEST(EhFrame, RestoreWithoutRememberIsBad) {
  EXPECT_EQ(parse(section_of(kSection, kCode, 0x10, "\x0b")).bad_entries, 1u);
}

TEST(EhFrame, EndlessRememberingIsBad) {
  EXPECT_EQ(parse(section_of(kSection, kCode, 0x10, std::string(100, '\x0a'))).bad_entries, 1u);
}

TEST(EhFrame, AnEntryThatNamesAnotherEntryAsItsCieIsBad) {
  std::string section = section_of(kSection, kCode, 0x10, "");
  std::size_t first_fde = cie().size();
  std::size_t offset = section.size();
  std::string second = fde(offset, kSection, kCode + 0x20, 0x10, "");
  std::uint32_t pointer = static_cast<std::uint32_t>(offset + 4 - first_fde);
  second.replace(4, 4, reinterpret_cast<const char*>(&pointer), 4);
  EXPECT_EQ(parse(section + second).bad_entries, 1u);
}

// Every single-byte change, every truncation, and random bytes: no crash, and no more output than input.
TEST(EhFrame, SurvivesDamage) {
  std::string good =
      section_of(kSection, kCode, 0x40, "\x41\x0e\x10\x86\x02\x43\x0d\x06\x0a\x02\x20\x0c\x07\x08\x41\x0b");
  auto check = [](const std::string& bytes) {
    for (FrameSection kind : {FrameSection::kEhFrame, FrameSection::kDebugFrame})
      EXPECT_LE(parse_frames(bytes, kSection, kind).rows.size(), 2 * bytes.size() + 1);
  };
  for (std::size_t size = 0; size < good.size(); size++) check(good.substr(0, size));
  for (std::size_t at = 0; at < good.size(); at++)
    for (int value = 0; value < 256; value++) {
      std::string bad = good;
      bad[at] = static_cast<char>(value);
      check(bad);
    }
  std::mt19937 random(20240817);
  for (int i = 0; i < 2000; i++) {
    std::string bytes = good + good;
    for (int change = 0; change < 8; change++) bytes[random() % bytes.size()] = static_cast<char>(random());
    check(bytes);
  }
}

// Each entry names a CIE of its own in the middle of one huge run of padding.
TEST(EhFrame, OverlappingGiantsCostNoQuadraticTime) {
  std::string section;
  for (int i = 0; i < 20000; i++)
    section +=
        with_length(CfiBytes().u32(0).u8(1).text("").u8(1).u8(0x78).u8(16).bytes() + std::string(16, '\0'));
  std::uint32_t length = static_cast<std::uint32_t>(section.size());
  for (std::size_t at = 0; at < section.size(); at += 32) {
    std::uint32_t huge = length - static_cast<std::uint32_t>(at) - 4;
    section.replace(at, 4, reinterpret_cast<const char*>(&huge), 4);
  }
  EXPECT_TRUE(parse(section).ranges.empty());
}

}  // namespace
}  // namespace dwell
