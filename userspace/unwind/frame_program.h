// SPDX-License-Identifier: Apache-2.0
// Runs the instructions of call frame information (DWARF 5, section 6.4; the x86-64 ABI, section 3.7) and turns what they
// say into the rules that the unwinder in the kernel can follow. What it can't follow becomes DWELL_CFA_UNSUPPORTED.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/unwind/eh_frame.h"

namespace dwell {

// DWARF's numbers of the registers that are followed.
inline constexpr std::uint64_t kRbp = 6, kRsp = 7, kReturnAddress = 16;

// Where a register of the caller is. Only rbp and the return address are followed.
struct RegisterRule {
  enum Kind : std::uint8_t { kUnspecified, kUndefined, kSame, kAtCfa, kAtBp, kOther } kind = kUnspecified;
  std::int64_t offset = 0;
};

struct FrameState {
  std::uint64_t cfa_register = kRsp;
  std::int64_t cfa_offset = 8;
  std::optional<UnwindRule> cfa_expression;  // only its cfa and cfa_offset count
  RegisterRule bp, return_address;
};

struct Cie {
  std::uint64_t code_alignment = 1;
  std::int64_t data_alignment = 1;
  std::uint8_t pointer_encoding = 0;  // DW_EH_PE_absptr
  bool has_augmentation_data = false;
  bool signal_frame = false;
  FrameState initial;
};

// The state that a CIE's own instructions leave; none if they cannot be run.
std::optional<FrameState> state_after(const Cie& cie, std::string_view instructions);

// Appends the rows of the function [begin, end), whose CIE has run. False: its instructions cannot be run, and some rows may
// have been appended.
bool run_frame_program(const Cie& cie, std::uint64_t begin, std::uint64_t end, std::string_view instructions,
                       std::vector<UnwindRow>& rows);

}  // namespace dwell
