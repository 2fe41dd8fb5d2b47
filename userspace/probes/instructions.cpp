// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/instructions.h"

#include <cstring>

namespace dwell {
namespace {

constexpr std::uint64_t kPage = 4096;

ZydisRegister whole(ZydisRegister part) {
  return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, part);
}

bool has_prefix(const Instruction& instruction, std::uint8_t prefix) {
  for (std::uint8_t i = 0; i < instruction.decoded.raw.prefix_count; ++i)
    if (instruction.decoded.raw.prefixes[i].value == prefix) return true;
  return false;
}

bool is_nop5(const Instruction& instruction, std::span<const std::byte> bytes) {
  static constexpr unsigned char kNop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
  return instruction.decoded.length == 5 && std::memcmp(bytes.data(), kNop5, 5) == 0;
}

// The kernel rewrites a nop to a call only where it can do so in one page.
bool within_page(const Instruction& instruction) {
  return instruction.vaddr / kPage == (instruction.end() - 1) / kPage;
}

bool is_emulated(const Instruction& instruction, const TrapAbilities& abilities) {
  const ZydisDecodedInstruction& decoded = instruction.decoded;
  if (decoded.mnemonic == ZYDIS_MNEMONIC_NOP)
    return decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT || abilities.long_nops_emulated;
  if (has_prefix(instruction, 0x66)) return false;
  if (decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
      decoded.opcode >= 0x50 && decoded.opcode <= 0x57)
    return decoded.length == 1 || (decoded.length == 2 && has_prefix(instruction, 0x41));
  if (is_call(instruction) || is_jump(instruction)) return branch_target(instruction).has_value();
  // jcxz and loop are conditional branches too, but not ones that the kernel knows.
  bool jcc = decoded.opcode_map == ZYDIS_OPCODE_MAP_0F ? (decoded.opcode & 0xf0) == 0x80
                                                       : (decoded.opcode & 0xf0) == 0x70;
  return is_conditional_jump(instruction) && jcc;
}

}  // namespace

Disassembler::Disassembler() {
  ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisFormatterInit(&formatter_, ZYDIS_FORMATTER_STYLE_ATT);
  ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
  for (ZydisFormatterProperty padding :
       {ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE,
        ZYDIS_FORMATTER_PROP_DISP_PADDING, ZYDIS_FORMATTER_PROP_IMM_PADDING})
    ZydisFormatterSetProperty(&formatter_, padding, ZYDIS_PADDING_DISABLED);
}

std::optional<Instruction> Disassembler::at(std::span<const std::byte> bytes, std::uint64_t vaddr) const {
  Instruction result;
  result.vaddr = vaddr;
  if (!ZYAN_SUCCESS(
          ZydisDecoderDecodeFull(&decoder_, bytes.data(), bytes.size(), &result.decoded, result.operands)))
    return std::nullopt;
  return result;
}

std::string Disassembler::text(const Instruction& instruction) const {
  char buffer[128];
  if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter_, &instruction.decoded, instruction.operands,
                                                    instruction.decoded.operand_count_visible, buffer,
                                                    sizeof buffer, instruction.vaddr, ZYAN_NULL)))
    return "?";
  return buffer;
}

bool is_conditional_jump(const Instruction& instruction) {
  return instruction.decoded.meta.category == ZYDIS_CATEGORY_COND_BR;
}
bool is_jump(const Instruction& instruction) {
  return instruction.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}
bool is_call(const Instruction& instruction) {
  return instruction.decoded.meta.category == ZYDIS_CATEGORY_CALL;
}
bool is_return(const Instruction& instruction) {
  return instruction.decoded.meta.category == ZYDIS_CATEGORY_RET;
}

std::optional<std::uint64_t> branch_target(const Instruction& instruction) {
  if (!is_conditional_jump(instruction) && !is_jump(instruction) && !is_call(instruction))
    return std::nullopt;
  if (instruction.visible().empty()) return std::nullopt;
  const ZydisDecodedOperand& operand = instruction.operands[0];
  if (operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operand.imm.is_relative) return std::nullopt;
  return instruction.end() + static_cast<std::uint64_t>(operand.imm.value.s);
}

// Prefixes that the kernel's probe code refuses wherever they stand, and instructions it has never accepted.
bool refused_by_kernel(const Instruction& instruction) {
  for (std::uint8_t prefix : {0xf0, 0x26, 0x2e, 0x36, 0x3e})
    if (has_prefix(instruction, prefix)) return true;
  switch (instruction.decoded.meta.category) {
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
      return true;
    default:
      break;
  }
  return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_HLT ||
         instruction.decoded.mnemonic == ZYDIS_MNEMONIC_UD2;
}

TrapClass classify(const Instruction& instruction, std::span<const std::byte> bytes,
                   const TrapAbilities& abilities) {
  if (abilities.nop5_is_a_call && is_nop5(instruction, bytes) && within_page(instruction))
    return TrapClass::kNop5;
  return is_emulated(instruction, abilities) ? TrapClass::kEmulated : TrapClass::kStepped;
}

bool writes_register(const Instruction& instruction, ZydisRegister reg) {
  for (const ZydisDecodedOperand& operand : instruction.all())
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        whole(operand.reg.value) == reg)
      return true;
  return false;
}

}  // namespace dwell
