// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/eh_frame.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>

#include "userspace/base/cursor.h"

namespace dwell {
namespace {

constexpr std::uint64_t kRbp = 6, kRsp = 7, kReturnAddress = 16;  // DWARF register numbers
constexpr std::size_t kMaxRemembered = 64;
// Real ones have some 30 bytes. A bound keeps a section of overlapping giants from costing quadratic time.
constexpr std::size_t kMaxCieSize = 4096;

enum PointerEncoding : std::uint8_t {  // DW_EH_PE_*
  kAbsolute = 0x00,
  kUleb = 0x01,
  kUdata2 = 0x02,
  kUdata4 = 0x03,
  kUdata8 = 0x04,
  kSleb = 0x09,
  kSdata2 = 0x0a,
  kSdata4 = 0x0b,
  kSdata8 = 0x0c,
  kFormatMask = 0x0f,
  kPcRelative = 0x10,
  kApplicationMask = 0x70,
  kIndirect = 0x80,
  kOmitted = 0xff,
};

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
  std::uint8_t pointer_encoding = kAbsolute;
  bool has_augmentation_data = false;
  bool signal_frame = false;
  FrameState initial;
};

template <typename To>
bool fits(std::int64_t value) {
  return value >= std::numeric_limits<To>::min() && value <= std::numeric_limits<To>::max();
}

std::uint64_t read_unaligned(Cursor& in, std::uint8_t format) {
  switch (format) {
    case kAbsolute:
    case kUdata8:
    case kSdata8:
      return in.u64();
    case kUleb:
      return in.uleb();
    case kSleb:
      return static_cast<std::uint64_t>(in.sleb());
    case kUdata2:
      return in.u16();
    case kSdata2:
      return static_cast<std::uint64_t>(std::int64_t{in.fixed<std::int16_t>()});
    case kUdata4:
      return in.u32();
    case kSdata4:
      return static_cast<std::uint64_t>(std::int64_t{in.fixed<std::int32_t>()});
    default:
      in.fail();
      return 0;
  }
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
        std::uint64_t to = read_unaligned(in, kAbsolute);
        bool absolute = (cie_.pointer_encoding & (kApplicationMask | kFormatMask)) == kAbsolute;
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

class FrameParser {
 public:
  FrameParser(std::string_view section, std::uint64_t vaddr, FrameSection kind)
      : section_(section), vaddr_(vaddr), kind_(kind) {}

  FrameRows parse() {
    std::size_t offset = 0;
    while (offset + 4 <= section_.size()) {
      std::optional<Entry> entry = entry_at(offset);
      if (!entry) break;
      offset = entry->next;
      if (entry->empty || entry->is_cie) continue;
      if (!parse_fde(*entry)) out_.bad_entries++;
    }
    return std::move(out_);
  }

 private:
  struct Entry {
    bool empty = false;
    bool is_cie = false;
    std::uint64_t cie_offset = 0;  // of an FDE: where its CIE begins
    std::size_t body = 0;          // just behind the CIE pointer
    std::size_t next = 0;
  };

  std::optional<Entry> entry_at(std::size_t offset) const {
    Cursor in(section_);
    in.seek(offset);
    std::uint64_t length = in.u32();
    bool wide = length == 0xffffffff;
    if (wide) length = in.u64();
    if (!in.ok() || length > in.remaining()) return std::nullopt;
    Entry entry;
    entry.next = in.offset() + length;
    if (length == 0) {  // the terminator of one input file; the linker can have put more behind it
      entry.empty = true;
      return entry;
    }
    std::size_t id_offset = in.offset();
    std::uint64_t id = wide && kind_ == FrameSection::kDebugFrame ? in.u64() : in.u32();
    entry.body = in.offset();
    if (!in.ok() || entry.body > entry.next) {
      entry.empty = true;
      return entry;
    }
    if (kind_ == FrameSection::kEhFrame) {
      entry.is_cie = id == 0;
      entry.cie_offset = id_offset - id;  // wraps for a lie, and is then out of bounds
    } else {
      entry.is_cie = id == (wide ? ~std::uint64_t{0} : 0xffffffff);
      entry.cie_offset = id;
    }
    return entry;
  }

  std::string_view slice(std::size_t begin, std::size_t end) const {
    return section_.substr(begin, end - begin);
  }

  std::optional<Cie> parse_cie(std::size_t offset) const {
    std::optional<Entry> entry = entry_at(offset);
    if (!entry || entry->empty || !entry->is_cie) return std::nullopt;
    if (entry->next - entry->body > kMaxCieSize) return std::nullopt;
    Cie cie;
    Cursor in(slice(entry->body, entry->next));
    std::uint8_t version = in.u8();
    if (version != 1 && version != 3 && version != 4) return std::nullopt;
    std::string_view augmentation = in.c_string();
    if (version == 4 && (in.u8() != 8 || in.u8() != 0)) return std::nullopt;  // address and segment size
    if (augmentation == "eh") in.u64();
    cie.code_alignment = in.uleb();
    cie.data_alignment = in.sleb();
    std::uint64_t return_register = version == 1 ? in.u8() : in.uleb();
    if (!in.ok() || return_register != kReturnAddress) return std::nullopt;
    if (!augmentation.empty() && augmentation[0] == 'z' && !parse_augmentation(augmentation, in, cie))
      return std::nullopt;
    std::optional<FrameState> initial = FrameProgram::initial_state(cie, in.text(in.remaining()));
    if (!in.ok() || !initial) return std::nullopt;
    cie.initial = *initial;
    return cie;
  }

  static bool parse_augmentation(std::string_view letters, Cursor& in, Cie& cie) {
    cie.has_augmentation_data = true;
    std::uint64_t size = in.uleb();
    Cursor data(in.text(size));
    for (char letter : letters.substr(1)) {
      switch (letter) {
        case 'L':
          data.u8();
          break;
        case 'P': {
          std::uint8_t encoding = data.u8();
          if (encoding != kOmitted) read_unaligned(data, encoding & kFormatMask);
          break;
        }
        case 'R':
          cie.pointer_encoding = data.u8();
          break;
        case 'S':
          cie.signal_frame = true;
          break;
        default:
          return false;
      }
    }
    return in.ok() && data.ok();
  }

  const Cie* cie_at(std::uint64_t offset) {
    auto [found, added] = cies_.try_emplace(offset);
    if (added && offset < section_.size()) found->second = parse_cie(offset);
    return found->second ? &*found->second : nullptr;
  }

  std::uint64_t read_address(Cursor& in, std::uint8_t encoding, std::size_t base) {
    if (encoding & kIndirect) in.fail();
    std::uint64_t field = vaddr_ + base + in.offset();
    std::uint64_t value = read_unaligned(in, encoding & kFormatMask);
    switch (encoding & kApplicationMask) {
      case kAbsolute:
        return value;
      case kPcRelative:
        return value + field;
      default:
        in.fail();
        return 0;
    }
  }

  bool parse_fde(const Entry& entry) {
    const Cie* cie = cie_at(entry.cie_offset);
    if (!cie) return false;
    Cursor in(slice(entry.body, entry.next));
    std::uint64_t begin = read_address(in, cie->pointer_encoding, entry.body);
    std::uint64_t size = read_unaligned(in, cie->pointer_encoding & kFormatMask);
    if (cie->has_augmentation_data) in.skip(in.uleb());
    if (!in.ok() || begin + size < begin) return false;
    // Functions that the linker dropped stay behind as entries of address zero or no size.
    if (begin == 0 || size == 0) return true;

    std::size_t first_row = out_.rows.size();
    FrameProgram program(*cie, begin, begin + size, out_.rows);
    if (!program.run(in.text(in.remaining()))) {
      out_.rows.resize(first_row);
      return false;
    }
    out_.ranges.push_back({begin, begin + size, static_cast<std::uint32_t>(first_row),
                           static_cast<std::uint32_t>(out_.rows.size() - first_row)});
    return true;
  }

  std::string_view section_;
  std::uint64_t vaddr_;
  FrameSection kind_;
  std::unordered_map<std::uint64_t, std::optional<Cie>> cies_;
  FrameRows out_;
};

}  // namespace

FrameRows parse_frames(std::string_view section, std::uint64_t vaddr, FrameSection kind) {
  return FrameParser(section, vaddr, kind).parse();
}

}  // namespace dwell
