// SPDX-License-Identifier: Apache-2.0
// Call frame information (.eh_frame, .debug_frame) of x86-64, interpreted into rows of simple rules.
//
// The bytes come from files that a target controls: every read is bounded, a description that does not
// parse is counted and skipped, and the output is never larger than a small multiple of the input.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "bpf/unwind_tables.h"

namespace dwell {

using UnwindRule = dwell_unwind_rule;

inline bool operator==(const UnwindRule& a, const UnwindRule& b) {
  return a.cfa_offset == b.cfa_offset && a.bp_offset == b.bp_offset && a.cfa == b.cfa && a.bp == b.bp;
}

// All of a rule in one word, as a key.
inline std::uint64_t rule_word(const UnwindRule& rule) {
  std::uint64_t word;
  static_assert(sizeof(word) == sizeof(rule));
  std::memcpy(&word, &rule, sizeof(word));
  return word;
}

inline constexpr UnwindRule kNoRule = {0, 0, DWELL_CFA_NONE, DWELL_BP_SAME};

// From vaddr on, up to the next row of the same range or the range's end.
struct UnwindRow {
  std::uint64_t vaddr;
  UnwindRule rule;
};

// One frame description entry: the code [begin, end) and its rows, rows[first_row, first_row + row_count).
struct FrameRange {
  std::uint64_t begin, end;
  std::uint32_t first_row, row_count;
};

struct FrameRows {
  std::vector<FrameRange> ranges;  // as in the section, in no order
  std::vector<UnwindRow> rows;
  std::size_t bad_entries = 0;  // did not parse
};

enum class FrameSection { kEhFrame, kDebugFrame };

// `vaddr` is where the section is loaded: .eh_frame has addresses relative to itself.
FrameRows parse_frames(std::string_view section, std::uint64_t vaddr, FrameSection kind);

}  // namespace dwell
