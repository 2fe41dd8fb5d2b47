// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/frame_program.h"

#include <algorithm>
#include <limits>

#include "userspace/base/cursor.h"

namespace dwell {
namespace {

constexpr std::size_t kMaxRemembered = 64;

template <typename To>
bool fits(std::int64_t value) {
  return value >= std::numeric_limits<To>::min() && value <= std::numeric_limits<To>::max();
}

// The few shapes of expressions that compilers and linkers really write for a canonical frame address.
UnwindRule cfa_of_expression(std::string_view bytes) {
  constexpr UnwindRule kUnsupported = {0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME};
  Cursor in(bytes);
  std::uint8_t first = in.u8();
  std::int64_t offset = in.sleb();
  if (!in.ok() || (first != 0x70 + kRbp && first != 0x70 + kRsp)) return kUnsupported;
  bool by_bp = first == 0x70 + kRbp;  // DW_OP_breg6 or DW_OP_breg7
  if (in.at_end()) {
    if (!fits<std::int32_t>(offset)) return kUnsupported;
    return {static_cast<std::int32_t>(offset), 0,
            static_cast<std::uint8_t>(by_bp ? DWELL_CFA_BP : DWELL_CFA_SP), DWELL_BP_SAME};
  }
  std::uint8_t op = in.u8();
  if (op == 0x06) {  // DW_OP_deref, perhaps DW_OP_plus_uconst
    std::uint64_t addend = 0;
    if (!in.at_end()) {
      if (in.u8() != 0x23) return kUnsupported;
      addend = in.uleb();
    }
    constexpr std::int64_t kLimit = std::int64_t{1} << 23;
    if (!in.ok() || !in.at_end() || addend > 255 || offset < -kLimit || offset >= kLimit) return kUnsupported;
    return {static_cast<std::int32_t>(offset * 256 + static_cast<std::int64_t>(addend)), 0,
            static_cast<std::uint8_t>(by_bp ? DWELL_CFA_DEREF_BP : DWELL_CFA_DEREF_SP), DWELL_BP_SAME};
  }
  // A linker's PLT: rsp + 8 + ((rip & 15) >= N) << 3
  std::uint8_t bytes_after[8] = {op};
  for (int i = 1; i < 8; i++) bytes_after[i] = in.u8();
  std::uint8_t literal = bytes_after[4];
  bool plt = in.ok() && !by_bp && offset == 8 && bytes_after[0] == 0x80 && bytes_after[1] == 0 &&
             bytes_after[2] == 0x3f && bytes_after[3] == 0x1a && literal >= 0x30 && literal <= 0x4f &&
             bytes_after[5] == 0x2a && bytes_after[6] == 0x33 && bytes_after[7] == 0x24 && in.u8() == 0x22;
  if (!plt || !in.at_end()) return kUnsupported;
  return {literal - 0x30, 0, DWELL_CFA_PLT, DWELL_BP_SAME};
}

// DW_CFA_expression for a register: realigned frames save rbp where rbp itself points.
RegisterRule register_by_expression(std::string_view bytes) {
  Cursor in(bytes);
  std::uint8_t first = in.u8();
  std::int64_t offset = in.sleb();
  if (!in.ok() || !in.at_end() || first != 0x70 + kRbp) return {RegisterRule::kOther, 0};
  return {RegisterRule::kAtBp, offset};
}

void set_bp_rule(const RegisterRule& bp, UnwindRule& rule) {
  switch (bp.kind) {
    case RegisterRule::kUnspecified:
    case RegisterRule::kSame:
      rule.bp = DWELL_BP_SAME;
      return;
    case RegisterRule::kAtCfa:
    case RegisterRule::kAtBp:
      if (fits<std::int16_t>(bp.offset)) {
        rule.bp = bp.kind == RegisterRule::kAtCfa ? DWELL_BP_AT_CFA : DWELL_BP_AT_BP;
        rule.bp_offset = static_cast<std::int16_t>(bp.offset);
        return;
      }
      [[fallthrough]];
    default:
      rule.bp = DWELL_BP_LOST;
  }
}

UnwindRule rule_of(const FrameState& state, bool signal_frame) {
  if (signal_frame) return {0, 0, DWELL_CFA_SIGNAL, DWELL_BP_SAME};
  if (state.return_address.kind == RegisterRule::kUndefined) return {0, 0, DWELL_CFA_END, DWELL_BP_SAME};
  UnwindRule rule = {0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME};
  if (state.return_address.kind != RegisterRule::kAtCfa || state.return_address.offset != -8) return rule;
  if (state.cfa_expression) {
    rule = *state.cfa_expression;
  } else if ((state.cfa_register == kRsp || state.cfa_register == kRbp) &&
             fits<std::int32_t>(state.cfa_offset)) {
    rule.cfa = state.cfa_register == kRsp ? DWELL_CFA_SP : DWELL_CFA_BP;
    rule.cfa_offset = static_cast<std::int32_t>(state.cfa_offset);
  }
  if (rule.cfa != DWELL_CFA_UNSUPPORTED) set_bp_rule(state.bp, rule);
  return rule;
}

// Runs the instructions of one entry. Rows are appended as the location advances.
class FrameProgram {
 public:
  FrameProgram(const Cie& cie, std::uint64_t begin, std::uint64_t end, std::vector<UnwindRow>& rows)
      : cie_(cie), end_(end), location_(begin), state_(cie.initial), rows_(rows), first_row_(rows.size()) {}

  bool run(std::string_view instructions) {
    if (!execute(instructions, true)) return false;
    emit();
    return true;
  }

  // The state that a CIE's own instructions leave.
  static std::optional<FrameState> initial_state(const Cie& cie, std::string_view instructions) {
    std::vector<UnwindRow> none;
    FrameProgram program(cie, 0, 0, none);
    if (!program.execute(instructions, false)) return std::nullopt;
    return program.state_;
  }

 private:
  void emit() {
    if (location_ >= end_) return;
    UnwindRule rule = rule_of(state_, cie_.signal_frame);
    bool first = rows_.size() == first_row_;
    if (!first && rows_.back().vaddr == location_) rows_.pop_back();
    first = rows_.size() == first_row_;
    if (!first && rows_.back().rule == rule) return;
    rows_.push_back({location_, rule});
  }

  bool advance(std::uint64_t units, bool may_move) {
    std::uint64_t delta;
    if (!may_move || __builtin_mul_overflow(units, cie_.code_alignment, &delta)) return false;
    emit();
    // Past the end nothing is emitted: keep it there instead of wrapping around.
    location_ = delta > end_ - std::min(location_, end_) ? end_ : location_ + delta;
    return true;
  }

  void set_register(std::uint64_t number, RegisterRule rule) {
    if (number == kRbp) state_.bp = rule;
    if (number == kReturnAddress) state_.return_address = rule;
  }
  void restore_register(std::uint64_t number) {
    if (number == kRbp) state_.bp = cie_.initial.bp;
    if (number == kReturnAddress) state_.return_address = cie_.initial.return_address;
  }
  std::int64_t factored(std::int64_t offset) const {
    std::int64_t result;
    // An offset that does not fit is no place on any stack; the rule that it yields is refused.
    return __builtin_mul_overflow(offset, cie_.data_alignment, &result)
               ? std::numeric_limits<std::int64_t>::max()
               : result;
  }
  void define_cfa(std::uint64_t number, std::int64_t offset) {
    state_.cfa_register = number;
    state_.cfa_offset = offset;
    state_.cfa_expression.reset();
  }

  bool execute(std::string_view instructions, bool may_move) {
    Cursor in(instructions);
    while (!in.at_end()) {
      std::uint8_t op = in.u8();
      std::uint8_t low = op & 0x3f;
      bool good = true;
      switch (op & 0xc0) {
        case 0x40:
          good = advance(low, may_move);
          break;
        case 0x80: {
          std::int64_t offset = static_cast<std::int64_t>(in.uleb());
          set_register(low, {RegisterRule::kAtCfa, factored(offset)});
          break;
        }
        case 0xc0:
          restore_register(low);
          break;
        default:
          good = execute_extended(low, in, may_move);
      }
      if (!good || !in.ok()) return false;
    }
    return true;
  }

  bool execute_extended(std::uint8_t op, Cursor& in, bool may_move) {
    switch (op) {
      case 0x00:  // nop
        return true;
      case 0x01: {  // set_loc
        std::uint64_t to = in.u64();
        bool absolute = (cie_.pointer_encoding & 0x7f) == 0;  // DW_EH_PE_absptr
        if (!may_move || !absolute || to < location_) return false;
        emit();
        location_ = to;
        return true;
      }
      case 0x02:  // advance_loc1, 2, 4
        return advance(in.u8(), may_move);
      case 0x03:
        return advance(in.u16(), may_move);
      case 0x04:
        return advance(in.u32(), may_move);
      case 0x05: {  // offset_extended
        std::uint64_t number = in.uleb();
        set_register(number, {RegisterRule::kAtCfa, factored(static_cast<std::int64_t>(in.uleb()))});
        return true;
      }
      case 0x06:  // restore_extended
        restore_register(in.uleb());
        return true;
      case 0x07:  // undefined
        set_register(in.uleb(), {RegisterRule::kUndefined, 0});
        return true;
      case 0x08:  // same_value
        set_register(in.uleb(), {RegisterRule::kSame, 0});
        return true;
      case 0x09: {  // register
        std::uint64_t number = in.uleb();
        in.uleb();
        set_register(number, {RegisterRule::kOther, 0});
        return true;
      }
      case 0x0a:  // remember_state
        if (remembered_.size() >= kMaxRemembered) return false;
        remembered_.push_back(state_);
        return true;
      case 0x0b:  // restore_state
        if (remembered_.empty()) return false;
        state_ = remembered_.back();
        remembered_.pop_back();
        return true;
      case 0x0c: {  // def_cfa
        std::uint64_t number = in.uleb();
        define_cfa(number, static_cast<std::int64_t>(in.uleb()));
        return true;
      }
      case 0x0d:  // def_cfa_register
        define_cfa(in.uleb(), state_.cfa_offset);
        return true;
      case 0x0e:  // def_cfa_offset
        state_.cfa_offset = static_cast<std::int64_t>(in.uleb());
        return true;
      case 0x0f:  // def_cfa_expression
        state_.cfa_expression = cfa_of_expression(in.text(in.uleb()));
        return true;
      case 0x10: {  // expression
        std::uint64_t number = in.uleb();
        set_register(number, register_by_expression(in.text(in.uleb())));
        return true;
      }
      case 0x11: {  // offset_extended_sf
        std::uint64_t number = in.uleb();
        set_register(number, {RegisterRule::kAtCfa, factored(in.sleb())});
        return true;
      }
      case 0x12: {  // def_cfa_sf
        std::uint64_t number = in.uleb();
        define_cfa(number, factored(in.sleb()));
        return true;
      }
      case 0x13:  // def_cfa_offset_sf
        state_.cfa_offset = factored(in.sleb());
        return true;
      case 0x14:    // val_offset
      case 0x15: {  // val_offset_sf
        std::uint64_t number = in.uleb();
        in.uleb();
        set_register(number, {RegisterRule::kOther, 0});
        return true;
      }
      case 0x16: {  // val_expression
        std::uint64_t number = in.uleb();
        in.skip(in.uleb());
        set_register(number, {RegisterRule::kOther, 0});
        return true;
      }
      case 0x2e:  // GNU_args_size: says nothing about where registers are
        in.uleb();
        return true;
      case 0x2f: {  // GNU_negative_offset_extended
        std::uint64_t number = in.uleb();
        std::int64_t offset = factored(static_cast<std::int64_t>(in.uleb()));
        set_register(number, offset == std::numeric_limits<std::int64_t>::max()
                                 ? RegisterRule{RegisterRule::kOther, 0}
                                 : RegisterRule{RegisterRule::kAtCfa, -offset});
        return true;
      }
      default:
        return false;
    }
  }

  const Cie& cie_;
  std::uint64_t end_;
  std::uint64_t location_;
  FrameState state_;
  std::vector<FrameState> remembered_;
  std::vector<UnwindRow>& rows_;
  std::size_t first_row_;
};

}  // namespace

std::optional<FrameState> state_after(const Cie& cie, std::string_view instructions) {
  return FrameProgram::initial_state(cie, instructions);
}

bool run_frame_program(const Cie& cie, std::uint64_t begin, std::uint64_t end, std::string_view instructions,
                       std::vector<UnwindRow>& rows) {
  return FrameProgram(cie, begin, end, rows).run(instructions);
}

}  // namespace dwell
