// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/code_frames.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace dwell {
namespace {

constexpr std::int32_t kUnknown = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kLargestFrame = 1 << 28;

// What is known of the frame before an instruction.
struct Frame {
  std::int32_t depth = 8;            // cfa = rsp + depth
  std::int32_t bp_depth = kUnknown;  // cfa = rbp + bp_depth
  std::int32_t saved_bp = 0;         // the caller's rbp is at cfa + saved_bp; 0: still in rbp
  bool bp_lost = false;              // it is neither saved nor in rbp
  bool outermost = false;            // rbp was zeroed: by the ABI nothing called this
  // Realigned stacks: `lea 8(%rsp),%r10` keeps the cfa in a register, which is pushed below the new frame
  // pointer.
  bool conventional = false;  // mov %rsp,%rbp at an unknown depth: [rbp] and [rbp + 8] are as ever, by a copy
  ZydisRegister cfa_in = ZYDIS_REGISTER_NONE;
  std::int32_t below_bp = 0;  // pushed since
  std::int32_t cfa_slot = 0;  // the cfa lies at rbp + cfa_slot

  UnwindRule rule() const {
    UnwindRule rule = kNoRule;
    if (outermost) return {0, 0, DWELL_CFA_END, DWELL_BP_SAME};
    if (depth != kUnknown) {
      rule.cfa = DWELL_CFA_SP;
      rule.cfa_offset = depth;
    } else if (bp_depth != kUnknown) {
      rule.cfa = DWELL_CFA_BP;
      rule.cfa_offset = bp_depth;
    } else {
      if (conventional && cfa_slot) return {cfa_slot * 256, 0, DWELL_CFA_DEREF_BP, DWELL_BP_AT_BP};
      return conventional ? kNoRule : UnwindRule{0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME};
    }
    if (bp_lost || saved_bp < std::numeric_limits<std::int16_t>::min()) {
      rule.bp = DWELL_BP_LOST;
    } else if (saved_bp) {
      rule.bp = DWELL_BP_AT_CFA;
      rule.bp_offset = static_cast<__s16>(saved_bp);
    }
    return rule;
  }
};

struct Instruction {
  ZydisDecodedInstruction code;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  bool is(ZydisMnemonic mnemonic) const { return code.mnemonic == mnemonic; }
  bool is_register(int operand, ZydisRegister wanted) const {
    return operand < code.operand_count && operands[operand].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           operands[operand].reg.value == wanted;
  }
  std::optional<std::int64_t> immediate(int operand) const {
    if (operand >= code.operand_count || operands[operand].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
      return std::nullopt;
    return operands[operand].imm.value.s;
  }
  // disp(base), nothing else
  std::optional<std::int64_t> displacement(int operand, ZydisRegister base) const {
    if (operand >= code.operand_count || operands[operand].type != ZYDIS_OPERAND_TYPE_MEMORY)
      return std::nullopt;
    const auto& memory = operands[operand].mem;
    if (memory.base != base || memory.index != ZYDIS_REGISTER_NONE) return std::nullopt;
    return memory.disp.has_displacement ? memory.disp.value : 0;
  }
  bool writes(ZydisRegister wanted) const {
    for (int i = 0; i < code.operand_count; i++)
      if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
          (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
          ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operands[i].reg.value) == wanted)
        return true;
    return false;
  }
};

void move_depth(std::int32_t& depth, std::int64_t by) {
  if (depth == kUnknown) return;
  std::int64_t moved = depth + by;
  depth = by > kLargestFrame || by < -kLargestFrame || moved < 0 || moved > kLargestFrame
              ? kUnknown
              : static_cast<std::int32_t>(moved);
}

void write_bp(Frame& frame) {
  frame.bp_depth = kUnknown;
  frame.conventional = false;
  frame.cfa_slot = 0;
  if (frame.saved_bp == 0) frame.bp_lost = true;
}

void pop_bp(Frame& frame, std::int32_t slot_depth) {
  bool restored = frame.saved_bp && slot_depth != kUnknown && slot_depth == -frame.saved_bp;
  write_bp(frame);
  if (restored) {
    frame.saved_bp = 0;
    frame.bp_lost = false;
  }
}

// Makes it the frame after the instruction.
void step(const Instruction& in, Frame& frame) {
  constexpr ZydisRegister kSp = ZYDIS_REGISTER_RSP, kBp = ZYDIS_REGISTER_RBP;
  if (frame.cfa_in != ZYDIS_REGISTER_NONE && in.writes(frame.cfa_in)) frame.cfa_in = ZYDIS_REGISTER_NONE;
  if (in.is(ZYDIS_MNEMONIC_PUSH) || in.is(ZYDIS_MNEMONIC_PUSHFQ)) {
    move_depth(frame.depth, in.code.operand_width / 8);
    frame.below_bp += 8;
    bool keeps_cfa = frame.conventional && frame.cfa_slot == 0 && frame.cfa_in != ZYDIS_REGISTER_NONE;
    if (keeps_cfa && frame.below_bp < 1024 && in.is_register(0, frame.cfa_in))
      frame.cfa_slot = -frame.below_bp;
    bool first_save = in.is_register(0, kBp) && frame.saved_bp == 0 && !frame.bp_lost;
    if (first_save && frame.depth != kUnknown) frame.saved_bp = -frame.depth;
  } else if (in.is(ZYDIS_MNEMONIC_POP) || in.is(ZYDIS_MNEMONIC_POPFQ)) {
    std::int32_t slot = frame.depth;
    if (in.is_register(0, kSp))
      frame.depth = kUnknown;
    else
      move_depth(frame.depth, -(in.code.operand_width / 8));
    if (in.is_register(0, kBp)) pop_bp(frame, slot);
  } else if (in.is(ZYDIS_MNEMONIC_LEAVE)) {
    std::int32_t slot = frame.bp_depth;
    frame.depth = slot;
    move_depth(frame.depth, -8);
    pop_bp(frame, slot);
  } else if ((in.is(ZYDIS_MNEMONIC_SUB) || in.is(ZYDIS_MNEMONIC_ADD)) && in.is_register(0, kSp)) {
    std::optional<std::int64_t> by = in.immediate(1);
    if (by)
      move_depth(frame.depth, in.is(ZYDIS_MNEMONIC_SUB) ? *by : -*by);
    else
      frame.depth = kUnknown;
  } else if (in.is(ZYDIS_MNEMONIC_LEA) && in.is_register(0, kSp)) {
    std::optional<std::int64_t> of_sp = in.displacement(1, kSp), of_bp = in.displacement(1, kBp);
    if (of_bp) frame.depth = frame.bp_depth;
    if (of_sp || of_bp)
      move_depth(frame.depth, -(of_sp ? *of_sp : *of_bp));
    else
      frame.depth = kUnknown;
  } else if (in.is(ZYDIS_MNEMONIC_MOV) && in.is_register(0, kSp)) {
    frame.depth = in.is_register(1, kBp) ? frame.bp_depth : kUnknown;
  } else if (in.is(ZYDIS_MNEMONIC_MOV) && in.is_register(0, kBp) && in.is_register(1, kSp)) {
    write_bp(frame);
    frame.bp_depth = frame.depth;
    frame.conventional = frame.depth == kUnknown;
    frame.below_bp = 0;
  } else if (in.is(ZYDIS_MNEMONIC_XOR) && in.writes(kBp) &&
             in.operands[0].reg.value == in.operands[1].reg.value && frame.saved_bp == 0) {
    frame.outermost = true;
  } else if (!in.is(ZYDIS_MNEMONIC_CALL)) {
    bool takes_cfa =
        in.is(ZYDIS_MNEMONIC_LEA) && frame.depth != kUnknown && in.displacement(1, kSp) == frame.depth;
    if (takes_cfa) frame.cfa_in = in.operands[0].reg.value;
    if (in.writes(kSp)) frame.depth = kUnknown;
    if (in.writes(kBp)) write_bp(frame);
  }
}

class CodeAnalysis {
 public:
  explicit CodeAnalysis(std::span<const CodePiece> code) : code_(code) {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (const CodePiece& piece : code_) {
      seen_.emplace_back(piece.bytes.size(), kUnseen);
      starts_.emplace_back(piece.bytes.size(), false);
    }
  }

  FrameRows run(const std::vector<std::uint64_t>& entries, const std::vector<std::uint64_t>& likely) {
    for (std::uint64_t entry : likely) taken_.push_back({entry, Frame{}});
    for (std::uint64_t entry : entries) start_at(entry, pending_);
    while (!pending_.empty() || !cases_.empty() || !taken_.empty()) {
      // The surest come first; an address that is only taken may be data.
      std::vector<Start>& from = !pending_.empty() ? pending_ : !cases_.empty() ? cases_ : taken_;
      Start start = from.back();
      from.pop_back();
      follow(start.vaddr, start.frame);
    }
    return rows();
  }

 private:
  static constexpr std::uint32_t kUnseen = 0xffffffff, kInside = 0xfffffffe;
  struct Start {
    std::uint64_t vaddr;
    Frame frame;
  };

  void start_at(std::uint64_t vaddr, std::vector<Start>& list) {
    std::optional<std::size_t> piece = piece_of(vaddr);
    if (!piece) return;
    starts_[*piece][vaddr - code_[*piece].vaddr] = true;
    list.push_back({vaddr, Frame{}});
  }

  std::optional<std::size_t> piece_of(std::uint64_t vaddr) const {
    auto after =
        std::upper_bound(code_.begin(), code_.end(), vaddr,
                         [](std::uint64_t wanted, const CodePiece& piece) { return wanted < piece.vaddr; });
    if (after == code_.begin()) return std::nullopt;
    std::size_t i = static_cast<std::size_t>(after - code_.begin()) - 1;
    return vaddr - code_[i].vaddr < code_[i].bytes.size() ? std::optional<std::size_t>(i) : std::nullopt;
  }

  static std::optional<std::uint64_t> branch_target(const Instruction& in, std::uint64_t vaddr) {
    std::uint64_t target;
    if (in.code.operand_count == 0 || in.operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
      return std::nullopt;
    if (ZYAN_FAILED(ZydisCalcAbsoluteAddress(&in.code, &in.operands[0], vaddr, &target))) return std::nullopt;
    return target;
  }

  // Goes on until code that was seen before, or that nothing follows.
  void follow(std::uint64_t vaddr, Frame frame) {
    std::optional<std::size_t> piece = piece_of(vaddr);
    if (!piece) return;
    const CodePiece& code = code_[*piece];
    std::vector<std::uint32_t>& seen = seen_[*piece];
    std::size_t offset = vaddr - code.vaddr;
    bool after_call = false;
    while (offset < code.bytes.size() && seen[offset] == kUnseen) {
      if (after_call && (starts_[*piece][offset] || is_padding(code, offset))) return;  // it did not return
      Instruction in;
      if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder_, code.bytes.data() + offset,
                                             code.bytes.size() - offset, &in.code, in.operands)))
        return;
      seen[offset] = static_cast<std::uint32_t>(rules_.size());
      rules_.push_back(frame.rule());
      for (std::size_t i = 1; i < in.code.length; i++)
        if (seen[offset + i] == kUnseen) seen[offset + i] = kInside;
      if (!go_on(in, code.vaddr + offset, frame)) return;
      offset += in.code.length;
      after_call = in.code.meta.category == ZYDIS_CATEGORY_CALL;
    }
  }

  // Nothing but no-operations up to where compilers let a function begin.
  bool is_padding(const CodePiece& code, std::size_t offset) const {
    std::size_t begin = offset;
    while (offset < code.bytes.size() && (code.vaddr + offset) % 16 != 0) {
      Instruction in;
      if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder_, code.bytes.data() + offset,
                                             code.bytes.size() - offset, &in.code, in.operands)))
        return false;
      if (!in.is(ZYDIS_MNEMONIC_NOP)) return false;
      offset += in.code.length;
    }
    return offset > begin;
  }

  // What else is reached from here is noted; true if the next instruction is.
  bool go_on(const Instruction& in, std::uint64_t vaddr, Frame& frame) {
    switch (in.code.meta.category) {
      case ZYDIS_CATEGORY_CALL:
        if (auto target = branch_target(in, vaddr)) start_at(*target, pending_);
        return true;
      case ZYDIS_CATEGORY_COND_BR:
        if (auto target = branch_target(in, vaddr)) pending_.push_back({*target, frame});
        return true;
      case ZYDIS_CATEGORY_UNCOND_BR:
        if (auto target = branch_target(in, vaddr))
          pending_.push_back({*target, frame});
        else
          follow_table(in, vaddr, frame);
        return false;
      case ZYDIS_CATEGORY_RET:
        return false;
      default:
        break;
    }
    if (in.is(ZYDIS_MNEMONIC_HLT) || in.is(ZYDIS_MNEMONIC_UD2) || in.is(ZYDIS_MNEMONIC_INT3)) return false;
    note_address(in, vaddr);
    step(in, frame);
    return true;
  }

  // lea of code: a function that is called through a pointer, as thread starts and comparisons are.
  void note_address(const Instruction& in, std::uint64_t vaddr) {
    if (!in.is(ZYDIS_MNEMONIC_LEA) || in.operands[1].mem.base != ZYDIS_REGISTER_RIP) return;
    std::uint64_t target;
    if (ZYAN_FAILED(ZydisCalcAbsoluteAddress(&in.code, &in.operands[1], vaddr, &target))) return;
    start_at(target, taken_);
  }

  // Behind an indirect jump inside a function lie the cases of a switch, with the frame that the jump has. A
  // tail call has given its frame back.
  void follow_table(const Instruction& in, std::uint64_t vaddr, const Frame& frame) {
    bool tail_call = frame.depth == 8 && frame.saved_bp == 0;
    if (!tail_call) cases_.push_back({vaddr + in.code.length, frame});
  }

  // One range for each run of instructions that were reached.
  FrameRows rows() const {
    FrameRows out;
    for (std::size_t p = 0; p < code_.size(); p++) {
      const std::vector<std::uint32_t>& seen = seen_[p];
      for (std::size_t at = 0; at < seen.size();) {
        if (seen[at] >= kInside) {
          at++;
          continue;
        }
        FrameRange range = {code_[p].vaddr + at, 0, static_cast<std::uint32_t>(out.rows.size()), 0};
        for (; at < seen.size() && seen[at] != kUnseen; at++) {
          if (seen[at] == kInside) continue;
          const UnwindRule& rule = rules_[seen[at]];
          bool first = out.rows.size() == range.first_row;
          if (first || !(out.rows.back().rule == rule)) out.rows.push_back({code_[p].vaddr + at, rule});
        }
        range.end = code_[p].vaddr + at;
        range.row_count = static_cast<std::uint32_t>(out.rows.size()) - range.first_row;
        out.ranges.push_back(range);
      }
    }
    return out;
  }

  std::span<const CodePiece> code_;
  ZydisDecoder decoder_;
  std::vector<std::vector<bool>> starts_;         // by byte: a function begins here
  std::vector<std::vector<std::uint32_t>> seen_;  // by byte: index of the rule at an instruction's first byte
  std::vector<UnwindRule> rules_;
  std::vector<Start> pending_, cases_, taken_;
};

}  // namespace

FrameRows analyze_code(std::span<const CodePiece> code, const std::vector<std::uint64_t>& entries,
                       const std::vector<std::uint64_t>& likely_entries) {
  return CodeAnalysis(code).run(entries, likely_entries);
}

}  // namespace dwell
