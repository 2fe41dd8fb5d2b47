// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/forwarders.h"

#include <Zydis/Zydis.h>
#include <elf.h>

#include <set>

#include "userspace/base/cursor.h"
#include "userspace/probes/allocators.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxInstructions = 2000;
constexpr std::size_t kMaxFunctionBytes = 16384;
constexpr std::size_t kElsewhereBytes = 512, kLongestInstruction = 15;

enum class Direction { kOut, kResize, kBack, kNone };

Direction direction_of(dwell_probe_shape shape) {
  if (shape == DWELL_SHAPE_NONE || shape >= DWELL_SHAPE_MMAP) return Direction::kNone;
  if (gives_back(shape)) return Direction::kBack;
  return shape >= DWELL_SHAPE_REALLOC_ARG0_ARG1 && shape <= DWELL_SHAPE_XALLOCX ? Direction::kResize : Direction::kOut;
}

struct Decoder {
  ZydisDecoder decoder;
  Decoder() { ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
  bool decode(std::string_view bytes, ZydisDecodedInstruction& instruction, ZydisDecodedOperand* operands) const {
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &instruction, operands));
  }
};

// The address in `operand` if it is a memory operand relative to the instruction pointer.
std::optional<std::uint64_t> rip_relative(const ZydisDecodedOperand& operand, std::uint64_t next_vaddr) {
  if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.base != ZYDIS_REGISTER_RIP ||
      operand.mem.index != ZYDIS_REGISTER_NONE)
    return std::nullopt;
  return next_vaddr + static_cast<std::uint64_t>(operand.mem.disp.value);
}

}  // namespace

bool never_returns(std::string_view function) {
  for (std::string_view name : {"abort", "exit", "_exit", "__cxa_throw", "__cxa_rethrow", "_Unwind_Resume",
                                "_ZSt17__throw_bad_allocv", "__stack_chk_fail", "_ZSt9terminatev",
                                "__cxa_throw_bad_array_new_length"})
    if (function == name) return true;
  return false;
}

CallTargets::CallTargets(const ElfFile& elf) : elf_(elf) {
  std::unordered_map<std::uint64_t, std::string> chosen;  // functions that are chosen at start, by their choosers
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (!symbol.defined || !symbol.vaddr) continue;
    if (never_returns(symbol.name)) ends_.insert(symbol.vaddr);
    if (symbol.type == STT_GNU_IFUNC) chosen.emplace(symbol.vaddr, symbol.name);
  }
  constexpr std::size_t kLimit = std::size_t{64} << 20;
  Result<std::string> symbols = elf.section_bytes(".dynsym", kLimit);
  Result<std::string> names = elf.section_bytes(".dynstr", kLimit);
  if (!symbols || !names) return;
  for (const char* section : {".rela.plt", ".rela.dyn"}) {
    Result<std::string> relocations = elf.section_bytes(section, kLimit);
    if (!relocations) continue;
    Cursor cursor(*relocations);
    while (cursor.remaining() >= sizeof(Elf64_Rela)) {
      Elf64_Rela relocation = cursor.fixed<Elf64_Rela>();
      std::uint32_t type = ELF64_R_TYPE(relocation.r_info);
      if (type == R_X86_64_IRELATIVE) {
        auto found = chosen.find(static_cast<std::uint64_t>(relocation.r_addend));
        if (found != chosen.end()) slots_.emplace(relocation.r_offset, found->second);
        continue;
      }
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) continue;
      Cursor symbol_cursor(*symbols);
      symbol_cursor.seek(ELF64_R_SYM(relocation.r_info) * sizeof(Elf64_Sym));
      Elf64_Sym symbol = symbol_cursor.fixed<Elf64_Sym>();
      Cursor name_cursor(*names);
      name_cursor.seek(symbol.st_name);
      std::string_view name = name_cursor.c_string();
      if (symbol_cursor.ok() && name_cursor.ok() && !name.empty()) slots_.emplace(relocation.r_offset, name);
    }
  }
}

std::optional<std::string> CallTargets::import_in_slot(std::uint64_t slot_vaddr) const {
  auto found = slots_.find(slot_vaddr);
  if (found == slots_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> CallTargets::import_at(std::uint64_t vaddr) const {
  Result<std::string> bytes = elf_.bytes_at(vaddr, 16);
  if (!bytes) return std::nullopt;
  Decoder decoder;
  std::string_view rest = *bytes;
  for (int i = 0; i < 2; ++i) {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!decoder.decode(rest, instruction, operands)) return std::nullopt;
    vaddr += instruction.length;
    rest.remove_prefix(instruction.length);
    if (instruction.mnemonic == ZYDIS_MNEMONIC_ENDBR64) continue;
    if (instruction.meta.category != ZYDIS_CATEGORY_UNCOND_BR) return std::nullopt;
    std::optional<std::uint64_t> slot = rip_relative(operands[0], vaddr);
    return slot ? import_in_slot(*slot) : std::nullopt;
  }
  return std::nullopt;
}

namespace {

// Follows every way through the function; each must meet a call of an allocation function of its kind.
class ForwardingProof {
 public:
  using Allocators = std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>>;

  ForwardingProof(const ElfFile& elf, const CallTargets& targets, std::uint64_t vaddr, std::string bytes,
                  Direction direction, const Allocators& allocators)
      : elf_(elf),
        targets_(targets),
        vaddr_(vaddr),
        bytes_(std::move(bytes)),
        direction_(direction),
        allocators_(allocators) {}

  std::optional<std::string> prove() {
    pending_.insert(vaddr_);
    while (!pending_.empty()) {
      std::uint64_t at = *pending_.begin();
      pending_.erase(pending_.begin());
      if (!follow(at)) return std::nullopt;
    }
    if (reached_.empty()) return std::nullopt;
    return reached_;
  }

 private:
  enum class Step { kOn, kEnd, kFail };

  bool follow(std::uint64_t at) {
    bool null_tested = false;
    for (;;) {
      if (!seen_.insert(at).second) return true;
      if (seen_.size() > kMaxInstructions) return false;
      std::string_view bytes = bytes_from(at);
      ZydisDecodedInstruction instruction;
      ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
      if (bytes.empty() || !decoder_.decode(bytes, instruction, operands)) return false;
      std::uint64_t next = at + instruction.length;
      switch (instruction.meta.category) {
        case ZYDIS_CATEGORY_RET:
          return false;
        case ZYDIS_CATEGORY_COND_BR:
          switch (branch(instruction, operands[0], next, null_tested)) {
            case Step::kFail:
              return false;
            case Step::kEnd:
              return true;
            case Step::kOn:
              break;
          }
          break;
        case ZYDIS_CATEGORY_UNCOND_BR: {
          std::optional<std::uint64_t> target = relative(operands[0], next);
          if (target && *target > vaddr_ && *target < vaddr_ + bytes_.size()) {
            pending_.insert(*target);
            return true;
          }
          return go(operands[0], next) == Step::kEnd;
        }
        case ZYDIS_CATEGORY_CALL: {
          Step step = go(operands[0], next);
          if (step == Step::kEnd) return true;
          break;
        }
        default:
          if (instruction.mnemonic == ZYDIS_MNEMONIC_UD2 || instruction.mnemonic == ZYDIS_MNEMONIC_HLT) return true;
      }
      null_tested = instruction.mnemonic == ZYDIS_MNEMONIC_TEST && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                    operands[0].reg.value == ZYDIS_REGISTER_RDI && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                    operands[1].reg.value == ZYDIS_REGISTER_RDI;
      at = next;
    }
  }

  // Of the function, or of the part of it that the compiler has put elsewhere, where it throws.
  std::string_view bytes_from(std::uint64_t at) {
    if (at >= vaddr_ && at < vaddr_ + bytes_.size()) return std::string_view(bytes_).substr(at - vaddr_);
    if (at < elsewhere_at_ || at + kLongestInstruction > elsewhere_at_ + elsewhere_.size()) {
      Result<std::string> more = elf_.bytes_at(at, kElsewhereBytes);
      if (!more) return {};
      elsewhere_ = std::move(*more);
      elsewhere_at_ = at;
    }
    return std::string_view(elsewhere_).substr(at - elsewhere_at_);
  }

  // The way of a null block needs no event, so it need not be followed.
  Step branch(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand& operand, std::uint64_t next,
              bool null_tested) {
    std::optional<std::uint64_t> target = relative(operand, next);
    if (!target) return Step::kFail;
    bool tells_null = direction_ == Direction::kBack && null_tested;
    if (tells_null && instruction.mnemonic == ZYDIS_MNEMONIC_JZ) return Step::kOn;
    pending_.insert(*target);
    return tells_null && instruction.mnemonic == ZYDIS_MNEMONIC_JNZ ? Step::kEnd : Step::kOn;
  }

  static std::optional<std::uint64_t> relative(const ZydisDecodedOperand& operand, std::uint64_t next) {
    if (operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operand.imm.is_relative) return std::nullopt;
    return next + static_cast<std::uint64_t>(operand.imm.value.s);
  }

  // A call or a tail jump: the end of this way if it leads to an allocation function, or nowhere back.
  Step go(const ZydisDecodedOperand& operand, std::uint64_t next) {
    std::optional<std::string> name;
    if (std::optional<std::uint64_t> target = relative(operand, next)) {
      auto own = allocators_.find(*target);
      if (own != allocators_.end() && *target != vaddr_ && direction_of(own->second.second) != Direction::kNone)
        return accept(own->second.first, own->second.second);
      if (targets_.is_own_end(*target)) return Step::kEnd;
      name = targets_.import_at(*target);
    } else if (std::optional<std::uint64_t> slot = rip_relative(operand, next)) {
      name = targets_.import_in_slot(*slot);
    }
    if (!name) return Step::kFail;
    if (never_returns(*name)) return Step::kEnd;
    return accept(*name, alloc_name(*name).shape);
  }

  Step accept(const std::string& name, dwell_probe_shape shape) {
    if (direction_of(shape) != direction_) return Step::kFail;
    reached_ = name;
    return Step::kEnd;
  }

  Decoder decoder_;
  const ElfFile& elf_;
  const CallTargets& targets_;
  std::uint64_t vaddr_;
  std::string bytes_;
  std::uint64_t elsewhere_at_ = 0;
  std::string elsewhere_;
  Direction direction_;
  const Allocators& allocators_;
  std::set<std::uint64_t> pending_, seen_;
  std::string reached_;
};

}  // namespace

namespace {

// The shape of the allocation function that a call or jump leads to, but for the caller itself.
dwell_probe_shape called_shape(const CallTargets& targets, const ZydisDecodedOperand& operand, std::uint64_t self,
                               std::uint64_t next,
                               const std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>>& allocators) {
  std::optional<std::string> name;
  if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand.imm.is_relative) {
    std::uint64_t target = next + static_cast<std::uint64_t>(operand.imm.value.s);
    auto own = allocators.find(target);
    if (own != allocators.end()) return target == self ? DWELL_SHAPE_NONE : own->second.second;
    name = targets.import_at(target);
  } else if (std::optional<std::uint64_t> slot = rip_relative(operand, next)) {
    name = targets.import_in_slot(*slot);
  }
  return name ? alloc_name(*name).shape : DWELL_SHAPE_NONE;
}

}  // namespace

std::optional<std::string> forwards_to(
    const ElfFile& elf, const CallTargets& targets, std::uint64_t vaddr, std::uint64_t size, dwell_probe_shape shape,
    const std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>>& allocators) {
  Direction direction = direction_of(shape);
  if (direction == Direction::kNone || size == 0 || size > kMaxFunctionBytes) return std::nullopt;
  Result<std::string> bytes = elf.bytes_at(vaddr, size);
  if (!bytes) return std::nullopt;
  return ForwardingProof(elf, targets, vaddr, std::move(*bytes), direction, allocators).prove();
}

bool applies_mask(const ElfFile& elf, std::uint64_t vaddr, std::uint64_t size) {
  if (size == 0 || size > kMaxFunctionBytes) return false;
  Result<std::string> bytes = elf.bytes_at(vaddr, size);
  if (!bytes) return false;
  Decoder decoder;
  for (std::size_t at = 0; at < bytes->size();) {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!decoder.decode(std::string_view(*bytes).substr(at), instruction, operands)) return false;
    if (instruction.mnemonic == ZYDIS_MNEMONIC_AND && instruction.operand_width == 64) return true;
    at += instruction.length;
  }
  return false;
}

bool calls_another(const ElfFile& elf, const CallTargets& targets, std::uint64_t vaddr, std::uint64_t size,
                   const std::unordered_map<std::uint64_t, std::pair<std::string, dwell_probe_shape>>& allocators) {
  if (size == 0 || size > kMaxFunctionBytes) return false;
  Result<std::string> bytes = elf.bytes_at(vaddr, size);
  if (!bytes) return false;
  Decoder decoder;
  std::size_t at = 0;
  while (at < bytes->size()) {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!decoder.decode(std::string_view(*bytes).substr(at), instruction, operands)) {
      ++at;
      continue;
    }
    at += instruction.length;
    bool leads_away = instruction.meta.category == ZYDIS_CATEGORY_CALL || instruction.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
                      instruction.meta.category == ZYDIS_CATEGORY_COND_BR;
    if (!leads_away) continue;
    if (wants_return(called_shape(targets, operands[0], vaddr, vaddr + at, allocators))) return true;
  }
  return false;
}

}  // namespace dwell
