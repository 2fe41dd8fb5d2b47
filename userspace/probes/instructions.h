// SPDX-License-Identifier: Apache-2.0
// Instruction: one that was decoded, and what a probe on it would mean.
#pragma once

#include <Zydis/Zydis.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "userspace/probes/planner.h"

namespace dwell {

struct Instruction {
  std::uint64_t vaddr;
  ZydisDecodedInstruction decoded;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  std::uint64_t end() const { return vaddr + decoded.length; }
  // Operands that were written in the assembler's source, not those that are implied.
  std::span<const ZydisDecodedOperand> visible() const { return {operands, decoded.operand_count_visible}; }
  std::span<const ZydisDecodedOperand> all() const { return {operands, decoded.operand_count}; }
};

class Disassembler {
 public:
  Disassembler();
  std::optional<Instruction> at(std::span<const std::byte> bytes, std::uint64_t vaddr) const;
  std::string text(const Instruction& instruction) const;

 private:
  ZydisDecoder decoder_;
  ZydisFormatter formatter_;
};

bool is_conditional_jump(const Instruction& instruction);
bool is_jump(const Instruction& instruction);
bool is_call(const Instruction& instruction);
bool is_return(const Instruction& instruction);
std::optional<std::uint64_t> branch_target(const Instruction& instruction);

// Prefixes that the kernel's probe code refuses wherever they stand, and instructions it has never accepted.
bool refused_by_kernel(const Instruction& instruction);
// `bytes` begin with the instruction's own.
TrapClass classify(const Instruction& instruction, std::span<const std::byte> bytes,
                   const TrapAbilities& abilities);
// Any part of the register, which is a whole one: RAX, not EAX.
bool writes_register(const Instruction& instruction, ZydisRegister reg);

}  // namespace dwell
