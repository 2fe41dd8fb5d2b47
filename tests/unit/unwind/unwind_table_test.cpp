// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/unwind_table.h"

#include <gtest/gtest.h>

#include "userspace/unwind/call_sites.h"

namespace dwell {
namespace {

constexpr UnwindRule kA = {8, 0, DWELL_CFA_SP, DWELL_BP_SAME};
constexpr UnwindRule kB = {16, -16, DWELL_CFA_SP, DWELL_BP_AT_CFA};
constexpr UnwindRule kC = {16, -16, DWELL_CFA_BP, DWELL_BP_AT_CFA};

FrameRows frames_of(std::vector<std::pair<FrameRange, std::vector<UnwindRow>>> entries) {
  FrameRows frames;
  for (auto& [range, rows] : entries) {
    range.first_row = static_cast<std::uint32_t>(frames.rows.size());
    range.row_count = static_cast<std::uint32_t>(rows.size());
    frames.ranges.push_back(range);
    frames.rows.insert(frames.rows.end(), rows.begin(), rows.end());
  }
  return frames;
}

std::string text(const std::vector<UnwindRow>& rows) {
  std::string out;
  for (const UnwindRow& row : rows)
    out += std::to_string(row.vaddr) +
           (row.rule == kA   ? "A"
            : row.rule == kB ? "B"
            : row.rule == kC ? "C"
                             : "-") +
           " ";
  return out;
}

TEST(MergeFrames, SortsAndSaysWhereNothingIsKnown) {
  FrameRows frames = frames_of({{{300, 310, 0, 0}, {{300, kC}}}, {{100, 200, 0, 0}, {{100, kA}, {150, kB}}}});
  EXPECT_EQ(text(merge_frames(frames, {})), "100A 150B 200- 300C 310- ");
}

TEST(MergeFrames, NeighboursLeaveNoGap) {
  FrameRows frames = frames_of({{{100, 200, 0, 0}, {{100, kA}}}, {{200, 300, 0, 0}, {{200, kB}}}});
  EXPECT_EQ(text(merge_frames(frames, {})), "100A 200B 300- ");
}

TEST(MergeFrames, AnOverlapEndsTheEarlier) {
  FrameRows frames = frames_of({{{100, 300, 0, 0}, {{100, kA}, {250, kC}}}, {{200, 300, 0, 0}, {{200, kB}}}});
  EXPECT_EQ(text(merge_frames(frames, {})), "100A 200B 300- ");
}

TEST(MergeFrames, DebugFrameFillsOnlyGaps) {
  FrameRows eh = frames_of({{{100, 200, 0, 0}, {{100, kA}}}});
  FrameRows debug = frames_of({{{100, 200, 0, 0}, {{100, kC}}}, {{200, 220, 0, 0}, {{200, kB}}}});
  EXPECT_EQ(text(merge_frames(eh, debug)), "100A 200B 220- ");
}

TEST(KeepCallRows, KeepsOnlyRowsWithACall) {
  std::vector<UnwindRow> rows = {{100, kA},      {101, kB}, {104, kC}, {150, kA},
                                 {160, kNoRule}, {200, kA}, {210, kB}};
  // Calls end at 120 (row 104) and 230 (the last row).
  EXPECT_EQ(text(keep_call_rows(rows, {50, 120, 230})), "104C 210B ");
}

TEST(KeepCallRows, KeepsARowOfNothingIfACallLiesThere) {
  std::vector<UnwindRow> rows = {{100, kA}, {160, kNoRule}, {200, kA}};
  EXPECT_EQ(text(keep_call_rows(rows, {130, 170, 220})), "100A 160- 200A ");
}

// In every module of this very process both tables give the same rule at every place a call can end.
TEST(UnwindTable, CallRowsAgreeWithTheFullTableOnRealBinaries) {
  for (const char* path :
       {"/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libstdc++.so.6"}) {
    Result<ElfFile> elf = ElfFile::open(path);
    ASSERT_TRUE(elf) << path;
    Result<UnwindTable> table = build_unwind_table(*elf, TableRows::kFull);
    ASSERT_TRUE(table) << path;
    EXPECT_EQ(table->bad_entries, 0u) << path;
    EXPECT_LT(table->calls.rows.size() * 3, table->full.rows.size()) << path;
    std::size_t checked = 0;
    for (const ElfSegment& segment : elf->segments()) {
      if (!segment.executable) continue;
      std::string code = *elf->bytes_at(segment.vaddr, segment.file_size);
      for (std::uint64_t end :
           find_calls(code, segment.vaddr, segment.vaddr, segment.vaddr + code.size()).ends) {
        auto pc = static_cast<std::uint32_t>(end - table->base);
        const dwell_unwind_row* call = table->calls.at(pc);
        const dwell_unwind_row* full = table->full.at(pc);
        ASSERT_TRUE(table->rules[call ? call->rule : 0] == table->rules[full ? full->rule : 0])
            << path << " at " << std::hex << end;
        checked++;
      }
    }
    EXPECT_GT(checked, 100u) << path;
  }
}

// The C library says of its own thread start and signal return what walks depend on.
TEST(UnwindTable, FindsTheEndsOfStacksInTheCLibrary) {
  Result<ElfFile> elf = ElfFile::open("/lib/x86_64-linux-gnu/libc.so.6");
  ASSERT_TRUE(elf);
  Result<UnwindTable> table = build_unwind_table(*elf, TableRows::kFull);
  ASSERT_TRUE(table);
  int signals = 0, ends = 0;
  for (const dwell_unwind_row& row : table->calls.rows) {
    signals += table->rules[row.rule].cfa == DWELL_CFA_SIGNAL;
    ends += table->rules[row.rule].cfa == DWELL_CFA_END;
  }
  EXPECT_EQ(signals, 1);
  EXPECT_GE(ends, 2);  // clone, clone3, __start_context
}

}  // namespace
}  // namespace dwell
