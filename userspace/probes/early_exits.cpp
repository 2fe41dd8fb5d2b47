// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/early_exits.h"

#include <algorithm>
#include <map>
#include <optional>

#include "userspace/probes/instructions.h"

namespace dwell {
namespace {

constexpr std::int64_t kUnknown = -1, kIntact = 0;
constexpr std::size_t kMostInstructions = 2000;

// What is known of the frame before an instruction.
struct Frame {
  std::int64_t depth = 8;       // CFA - rsp; kUnknown
  std::int64_t saved_bp = kIntact;  // CFA - where the caller's rbp lies; kIntact: in rbp; kUnknown
  bool operator==(const Frame&) const = default;
};

bool is_register(const ZydisDecodedOperand& operand, ZydisRegister reg) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == reg;
}

std::int64_t depth_after(const Instruction& instruction, std::int64_t depth) {
  auto visible = instruction.visible();
  if (is_call(instruction) || !writes_register(instruction, ZYDIS_REGISTER_RSP)) return depth;
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
      return instruction.decoded.operand_width == 64 ? depth + 8 : kUnknown;
    case ZYDIS_MNEMONIC_POP:
      return instruction.decoded.operand_width == 64 && !is_register(visible[0], ZYDIS_REGISTER_RSP) ? depth - 8 : kUnknown;
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
      if (!is_register(visible[0], ZYDIS_REGISTER_RSP) || visible[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return kUnknown;
      return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_SUB ? depth + visible[1].imm.value.s
                                                                : depth - visible[1].imm.value.s;
    default:
      return kUnknown;
  }
}

Frame frame_after(const Instruction& instruction, const Frame& before) {
  Frame after = before;
  if (before.depth != kUnknown) after.depth = depth_after(instruction, before.depth);
  bool bp_operand = !instruction.visible().empty() && is_register(instruction.visible()[0], ZYDIS_REGISTER_RBP);
  if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && bp_operand && before.saved_bp == kIntact)
    after.saved_bp = after.depth;  // from here on both hold it
  else if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_POP && bp_operand && before.saved_bp == before.depth)
    after.saved_bp = kIntact;
  else if (writes_register(instruction, ZYDIS_REGISTER_RBP) && before.saved_bp == kIntact)
    after.saved_bp = kUnknown;
  return after;
}

class Search {
 public:
  Search(const FunctionCode& code, const std::set<std::uint64_t>& excluded) : excluded_(excluded), entry_(code.vaddr) {
    Disassembler disassembler;
    for (std::size_t at = 0; at < code.bytes.size() && code_.size() < kMostInstructions;) {
      std::optional<Instruction> instruction = disassembler.at(code.bytes.subspan(at), code.vaddr + at);
      if (!instruction) return;
      at += instruction->decoded.length;
      code_.emplace(instruction->vaddr, *instruction);
    }
  }

  EarlyExits search(const std::set<std::uint64_t>& entered) {
    flow({entry_, Frame{}});
    for (std::uint64_t vaddr : entered) flow({vaddr, Frame{kUnknown, kUnknown}});
    std::set<std::uint64_t> kept;
    std::vector<EarlyExit> candidates;
    for (const auto& [vaddr, instruction] : code_) {
      if (is_bound(vaddr)) {
        // Nobody is seen to come here: an exception may lead to it.
        if (vaddr == entry_ || entered.count(vaddr) || (!frames_.count(vaddr) && instruction.decoded.mnemonic != ZYDIS_MNEMONIC_NOP))
          add_returns(vaddr, kept);
        continue;
      }
      for (std::uint64_t next : after(instruction)) {
        if (!is_bound(next)) continue;
        std::optional<EarlyExit> exit = candidate(instruction, next);
        if (exit)
          candidates.push_back(*exit);
        else
          add_returns(next, kept);
      }
    }
    return choose(candidates, kept);
  }

 private:
  static constexpr std::uint64_t kElsewhere = 0;

  std::vector<std::uint64_t> after(const Instruction& instruction) const {
    auto known = [&](std::uint64_t vaddr) { return code_.count(vaddr) ? vaddr : kElsewhere; };
    if (is_return(instruction)) return {};
    if (is_jump(instruction)) return {known(branch_target(instruction).value_or(kElsewhere))};
    if (is_conditional_jump(instruction))
      return {known(branch_target(instruction).value_or(kElsewhere)), known(instruction.end())};
    return {known(instruction.end())};
  }

  // What is known before each instruction that can be reached from there.
  void flow(std::pair<std::uint64_t, Frame> from) {
    std::vector<std::pair<std::uint64_t, Frame>> pending{from};
    while (!pending.empty()) {
      auto [vaddr, frame] = pending.back();
      pending.pop_back();
      auto found = code_.find(vaddr);
      if (found == code_.end()) continue;
      auto [known, fresh] = frames_.emplace(vaddr, frame);
      if (!fresh) {
        Frame merged = known->second;
        if (merged.depth != frame.depth) merged.depth = kUnknown;
        if (merged.saved_bp != frame.saved_bp) merged.saved_bp = kUnknown;
        if (merged == known->second) continue;
        known->second = frame = merged;
      }
      for (std::uint64_t next : after(found->second)) pending.emplace_back(next, frame_after(found->second, frame));
    }
  }

  // Whether every way from there is a straight one to a return: no call, no loop, no way out.
  bool is_bound(std::uint64_t vaddr) {
    auto found = code_.find(vaddr);
    if (found == code_.end()) return false;
    auto [known, fresh] = bound_.emplace(vaddr, false);  // as long as it is being asked: a loop
    if (!fresh) return known->second;
    const Instruction& instruction = found->second;
    if (is_return(instruction)) return bound_[vaddr] = true;
    if (is_call(instruction)) return false;
    std::vector<std::uint64_t> next = after(instruction);
    return bound_[vaddr] = std::all_of(next.begin(), next.end(), [&](std::uint64_t one) { return is_bound(one); });
  }

  // Which register holds, before that instruction, what will be in rax at the return.
  std::optional<ZydisRegister> result_at(std::uint64_t vaddr) {
    auto [known, fresh] = results_.emplace(vaddr, std::nullopt);
    if (fresh) known->second = find_result(vaddr);  // map iterators stay
    return known->second;
  }
  std::optional<ZydisRegister> find_result(std::uint64_t vaddr) {
    const Instruction& instruction = code_.at(vaddr);
    if (is_return(instruction)) return ZYDIS_REGISTER_RAX;
    std::optional<ZydisRegister> result;
    for (std::uint64_t next : after(instruction)) {
      std::optional<ZydisRegister> one = result_at(next);
      if (!one || (result && *result != *one)) return std::nullopt;
      result = one;
    }
    if (!result || !writes_register(instruction, *result)) return result;
    auto visible = instruction.visible();
    bool moves = instruction.decoded.mnemonic == ZYDIS_MNEMONIC_MOV && instruction.decoded.operand_width == 64 &&
                 is_register(visible[0], *result) && visible[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
    return moves ? std::optional(visible[1].reg.value) : std::nullopt;
  }

  std::optional<EarlyExit> candidate(const Instruction& branch, std::uint64_t next) {
    auto frame = frames_.find(branch.vaddr);
    if (!is_conditional_jump(branch) || frame == frames_.end() || excluded_.count(branch.vaddr)) return std::nullopt;
    bool long_form = branch.decoded.opcode_map == ZYDIS_OPCODE_MAP_0F;
    bool jcc = long_form ? (branch.decoded.opcode & 0xf0) == 0x80 : (branch.decoded.opcode & 0xf0) == 0x70;
    std::optional<ZydisRegister> result = result_at(next);
    const Frame& here = frame->second;
    if (!jcc || refused_by_kernel(branch) || !result || here.depth < 8 || here.saved_bp == kUnknown) return std::nullopt;
    std::int64_t bp = here.saved_bp == kIntact ? 0 : here.depth - here.saved_bp;
    bool bp_fits = here.saved_bp == kIntact || (here.saved_bp > 8 && bp >= 0 && bp < 0x7fff);
    if (here.depth > 0xffff || !bp_fits) return std::nullopt;
    return EarlyExit{branch.vaddr,
                     static_cast<std::uint8_t>(branch.decoded.opcode & 0x0f),
                     next != branch.end(),
                     static_cast<std::uint8_t>(ZydisRegisterGetId(*result)),
                     static_cast<std::uint32_t>(here.depth),
                     here.saved_bp == kIntact ? -1 : static_cast<std::int32_t>(bp)};
  }

  // Of a place that is bound.
  void add_returns(std::uint64_t from, std::set<std::uint64_t>& to) const {
    std::set<std::uint64_t> seen;
    std::vector<std::uint64_t> pending{from};
    while (!pending.empty()) {
      std::uint64_t vaddr = pending.back();
      pending.pop_back();
      if (!seen.insert(vaddr).second) continue;
      const Instruction& instruction = code_.at(vaddr);
      if (is_return(instruction)) to.insert(vaddr);
      for (std::uint64_t next : after(instruction)) pending.push_back(next);
    }
  }

  EarlyExits choose(const std::vector<EarlyExit>& candidates, const std::set<std::uint64_t>& kept) const {
    EarlyExits chosen;
    for (const EarlyExit& exit : candidates) {
      const Instruction& branch = code_.at(exit.vaddr);
      std::set<std::uint64_t> returns;
      add_returns(exit.taken ? *branch_target(branch) : branch.end(), returns);
      std::erase_if(returns, [&](std::uint64_t one) { return kept.count(one) != 0; });
      if (!returns.empty()) chosen.branches.push_back(exit);
      chosen.replaced.merge(returns);
    }
    return chosen;
  }

  const std::set<std::uint64_t>& excluded_;
  std::uint64_t entry_;
  std::map<std::uint64_t, Instruction> code_;
  std::map<std::uint64_t, Frame> frames_;
  std::map<std::uint64_t, bool> bound_;
  std::map<std::uint64_t, std::optional<ZydisRegister>> results_;
};

}  // namespace

EarlyExits find_early_exits(const FunctionCode& code, const std::set<std::uint64_t>& excluded,
                            const std::set<std::uint64_t>& entered) {
  return Search(code, excluded).search(entered);
}

}  // namespace dwell
