// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/code_references.h"

#include <Zydis/Zydis.h>

namespace dwell {

std::vector<CodeReference> code_references(std::string_view code, std::uint64_t address) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  std::vector<CodeReference> result;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  for (std::size_t at = 0; at < code.size(); at += instruction.length) {
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder, code.data() + at, code.size() - at, &instruction, operands)))
      break;
    for (unsigned i = 0; i < instruction.operand_count_visible; ++i) {
      ZyanU64 target;
      if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY || operands[i].mem.base != ZYDIS_REGISTER_RIP)
        continue;
      if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&instruction, &operands[i], address + at, &target)))
        continue;
      result.push_back({target, instruction.mnemonic == ZYDIS_MNEMONIC_LEA});
    }
  }
  return result;
}

}  // namespace dwell
