// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/go_placement.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/probes/instructions.h"

namespace dwell {
namespace {

constexpr int kLongestStackCheck = 12;  // instructions; no stack check has more
constexpr std::size_t kMostReturns = 96;

// What a call hands over: its arguments, its goroutine, and where its caller's frame is.
constexpr ZydisRegister kHandedOver[] = {
    ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_RBX, ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_RDI,
    ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_R8,  ZYDIS_REGISTER_R9,  ZYDIS_REGISTER_R10,
    ZYDIS_REGISTER_R11, ZYDIS_REGISTER_R14, ZYDIS_REGISTER_RSP, ZYDIS_REGISTER_RBP,
};

bool keeps_what_was_handed_over(const Instruction& instruction) {
  return std::none_of(std::begin(kHandedOver), std::end(kHandedOver),
                      [&](ZydisRegister reg) { return writes_register(instruction, reg); });
}

// The stack is too small where it ends above what is asked for, which is compared without a sign.
bool is_stack_check(const Instruction& instruction) {
  return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_JBE &&
         branch_target(instruction).value_or(0) > instruction.vaddr;
}

bool is_frame_push(const Instruction& instruction) {
  return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && !instruction.visible().empty() &&
         instruction.operands[0].reg.value == ZYDIS_REGISTER_RBP;
}

// A loop may begin with the first instruction of a function that has no frame and checks no stack.
bool loops_to_start(const Disassembler& disassembler, const FunctionCode& code) {
  for (std::uint64_t offset = 0; offset < code.bytes.size();) {
    std::optional<Instruction> instruction = disassembler.at(code.bytes.subspan(offset), code.vaddr + offset);
    if (!instruction) return false;
    if (!is_call(*instruction) && branch_target(*instruction) == code.vaddr) return true;
    offset += instruction->decoded.length;
  }
  return false;
}

// A jump through a table, to a place in the same function.
bool is_switch(const Instruction& instruction) {
  return !instruction.visible().empty() && instruction.operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
         instruction.operands[0].mem.index != ZYDIS_REGISTER_NONE;
}

}  // namespace

std::vector<GoPlacement> plan_go_placements(const FunctionCode& code, const TrapAbilities& abilities,
                                            const TrapPrices& prices) {
  Disassembler disassembler;
  std::vector<GoPlacement> found;
  std::uint64_t offset = 0;
  bool branched = false;
  for (int i = 0; i < kLongestStackCheck && offset < code.bytes.size(); ++i) {
    std::span<const std::byte> bytes = code.bytes.subspan(offset);
    std::optional<Instruction> instruction = disassembler.at(bytes, code.vaddr + offset);
    if (!instruction || refused_by_kernel(*instruction)) break;
    TrapClass trap = classify(*instruction, bytes, abilities);
    GoPlacement here{static_cast<std::uint32_t>(offset), is_stack_check(*instruction), trap,
                     disassembler.text(*instruction), prices.entry_ns[static_cast<int>(trap)]};
    if (here.at_stack_check) {
      // A large frame is checked in two steps, and only what passes both goes on.
      found = {here};
      branched = true;
    } else if (is_frame_push(*instruction)) {
      found.insert(found.begin(), here);
      break;
    } else if (is_conditional_jump(*instruction)) {
      branched = true;
    } else if (!branched && found.empty()) {
      found = {here};  // unless a check of the stack follows
    }
    bool ends = is_jump(*instruction) || is_call(*instruction) || is_return(*instruction);
    if (ends || !keeps_what_was_handed_over(*instruction)) break;
    offset += instruction->decoded.length;
  }
  if (!found.empty() && found.back().offset == 0 && loops_to_start(disassembler, code)) found.pop_back();
  return found;
}

GoReturns find_go_returns(const FunctionCode& code) {
  Disassembler disassembler;
  GoReturns found;
  auto refuse = [](std::string why) { return GoReturns{{}, std::move(why)}; };
  for (std::uint64_t offset = 0; offset < code.bytes.size();) {
    std::optional<Instruction> instruction = disassembler.at(code.bytes.subspan(offset), code.vaddr + offset);
    if (!instruction) return refuse(fmt::format("its code at {:#x} could not be read", code.vaddr + offset));
    if (is_return(*instruction)) found.offsets.push_back(static_cast<std::uint32_t>(offset));
    if (is_jump(*instruction) || is_conditional_jump(*instruction)) {
      std::optional<std::uint64_t> target = branch_target(*instruction);
      if (target ? *target - code.vaddr >= code.bytes.size() : !is_switch(*instruction))
        return refuse("it ends in a jump to another function");
    }
    offset += instruction->decoded.length;
  }
  if (found.offsets.empty()) return refuse("it never returns");
  if (found.offsets.size() > kMostReturns) return refuse("it returns in too many places");
  return found;
}

std::vector<GoPlacement> plan_behind_call(const FunctionCode& code, std::uint64_t callee,
                                          const TrapAbilities& abilities, const TrapPrices& prices) {
  Disassembler disassembler;
  bool behind = false;
  for (std::uint64_t offset = 0; offset < code.bytes.size();) {
    std::span<const std::byte> bytes = code.bytes.subspan(offset);
    std::optional<Instruction> instruction = disassembler.at(bytes, code.vaddr + offset);
    if (!instruction) break;
    bool branches = is_call(*instruction) || is_conditional_jump(*instruction) || is_jump(*instruction);
    if (behind && branches) {
      TrapClass trap = classify(*instruction, bytes, abilities);
      return {{static_cast<std::uint32_t>(offset), false, trap, disassembler.text(*instruction),
               prices.entry_ns[static_cast<int>(trap)]}};
    }
    behind = behind || (is_call(*instruction) && branch_target(*instruction) == callee);
    offset += instruction->decoded.length;
  }
  return {};
}

GoPlacement go_entry(const FunctionCode& code, const TrapAbilities& abilities, const TrapPrices& prices) {
  Disassembler disassembler;
  std::optional<Instruction> instruction = disassembler.at(code.bytes, code.vaddr);
  TrapClass trap = instruction ? classify(*instruction, code.bytes, abilities) : TrapClass::kStepped;
  return {0, false, trap, instruction ? disassembler.text(*instruction) : "",
          prices.entry_ns[static_cast<int>(trap)]};
}

}  // namespace dwell
