// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/planner.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "userspace/probes/instructions.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxPrologue = 48;  // instructions; what lies deeper is no longer "at the entry"
constexpr ZydisRegister kArguments[] = {ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
                                        ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8,  ZYDIS_REGISTER_R9};

bool writes_flags(const Instruction& instruction) {
  const ZydisAccessedFlags* flags = instruction.decoded.cpu_flags;
  return flags && (flags->modified | flags->set_0 | flags->set_1 | flags->undefined) != 0;
}

// How far rsp moves down, or nothing if that cannot be told.
std::optional<std::int64_t> stack_growth(const Instruction& instruction) {
  if (!writes_register(instruction, ZYDIS_REGISTER_RSP)) return 0;
  auto visible = instruction.visible();
  bool to_rsp = !visible.empty() && visible[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                visible[0].reg.value == ZYDIS_REGISTER_RSP;
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
      if (instruction.decoded.operand_width == 64) return 8;
      return std::nullopt;
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
      if (to_rsp && visible[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_SUB ? visible[1].imm.value.s : -visible[1].imm.value.s;
      return std::nullopt;
    case ZYDIS_MNEMONIC_LEA:
      if (to_rsp && visible[1].mem.base == ZYDIS_REGISTER_RSP && visible[1].mem.index == ZYDIS_REGISTER_NONE)
        return -visible[1].mem.disp.value;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool tests_argument0(const Instruction& instruction) {
  auto visible = instruction.visible();
  return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_TEST && visible.size() == 2 &&
         visible[0].type == ZYDIS_OPERAND_TYPE_REGISTER && visible[0].reg.value == ZYDIS_REGISTER_RDI &&
         visible[1].type == ZYDIS_OPERAND_TYPE_REGISTER && visible[1].reg.value == ZYDIS_REGISTER_RDI;
}

// Instructions of the whole function by linear sweep: for the branches that lead back to its start.
std::vector<std::uint64_t> own_branch_targets(const Disassembler& disassembler, const FunctionCode& code) {
  std::vector<std::uint64_t> targets;
  std::size_t offset = 0;
  while (offset < code.bytes.size()) {
    std::optional<Instruction> instruction = disassembler.at(code.bytes.subspan(offset), code.vaddr + offset);
    if (!instruction) {
      ++offset;
      continue;
    }
    if (std::optional<std::uint64_t> target = branch_target(*instruction)) targets.push_back(*target);
    offset += instruction->decoded.length;
  }
  return targets;
}

bool enters_kernel(const Instruction& instruction) {
  return instruction.decoded.meta.category == ZYDIS_CATEGORY_SYSCALL ||
         instruction.decoded.meta.category == ZYDIS_CATEGORY_INTERRUPT;
}

bool takes_back(dwell_probe_shape shape) {
  return shape == DWELL_SHAPE_FREE_ARG0 || shape == DWELL_SHAPE_MUNMAP || shape == DWELL_SHAPE_MREMAP ||
         shape == DWELL_SHAPE_GIVE ||
         (shape >= DWELL_SHAPE_REALLOC_ARG0_ARG1 && shape <= DWELL_SHAPE_REALLOCF);
}

bool writes_shared_memory(const Instruction& instruction) {
  for (const ZydisDecodedOperand& operand : instruction.all())
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        operand.mem.base != ZYDIS_REGISTER_RSP)
      return true;
  return false;
}

bool writes_below_stack(const Instruction& instruction) {
  for (const ZydisDecodedOperand& operand : instruction.visible())
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        operand.mem.base == ZYDIS_REGISTER_RSP && operand.mem.disp.value < 0)
      return true;
  return false;
}

// Which argument each argument register holds.
class ArgumentRegisters {
 public:
  void execute(const Instruction& instruction) {
    std::optional<std::pair<int, int>> moved = move_between(instruction);
    int value = moved ? holds_[moved->second] : kOther;
    for (int i = 0; i < 6; ++i)
      if (writes_register(instruction, kArguments[i])) holds_[i] = kOther;
    if (moved) holds_[moved->first] = value;
  }
  bool holds(int reg, int argument) const { return holds_[reg] == argument; }

 private:
  static constexpr int kOther = -1;

  static int index_of(const ZydisDecodedOperand& operand) {
    for (int i = 0; i < 6; ++i)
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == kArguments[i]) return i;
    return -1;
  }
  static std::optional<std::pair<int, int>> move_between(const Instruction& instruction) {
    if (instruction.decoded.mnemonic != ZYDIS_MNEMONIC_MOV) return std::nullopt;
    int to = index_of(instruction.operands[0]), from = index_of(instruction.operands[1]);
    if (to < 0 || from < 0) return std::nullopt;
    return std::pair(to, from);
  }

  int holds_[6] = {0, 1, 2, 3, 4, 5};
};

// The state of the straight way from the entry, instruction by instruction.
struct Walk {
  std::uint64_t vaddr = 0;
  std::int64_t cfa_offset = 8;
  ArgumentRegisters arguments;
  bool flags_are_null_test = false;  // the flags come from `test %rdi,%rdi`, and rdi is argument 0
  bool uses_red_zone = false;        // something may have been stored below rsp
  bool has_callers_bp = true;        // rbp is as it was

  // Advances past the instruction, to the next one that every call that matters executes. False: there is
  // none, or what is there cannot be known.
  bool step(const Instruction& instruction, const PlacementNeed& need) {
    if (is_call(instruction) || is_return(instruction)) return false;
    if (is_conditional_jump(instruction)) return step_over_null_check(instruction, need);
    if (is_jump(instruction)) return false;
    // Behind a system call the mapping is gone, and behind a store the block may be on a free list, where
    // another thread finds it: too late to be the first to tell.
    if (enters_kernel(instruction) || (takes_back(need.shape) && writes_shared_memory(instruction)))
      return false;
    std::optional<std::int64_t> growth = stack_growth(instruction);
    if (!growth) return false;
    cfa_offset += *growth;
    if (cfa_offset < 8 || cfa_offset > 0xffff) return false;
    uses_red_zone = uses_red_zone || writes_below_stack(instruction);
    has_callers_bp = has_callers_bp && !writes_register(instruction, ZYDIS_REGISTER_RBP);
    if (writes_flags(instruction)) flags_are_null_test = tests_argument0(instruction) && arguments.holds(0, 0);
    arguments.execute(instruction);
    vaddr = instruction.end();
    return true;
  }

 private:
  bool step_over_null_check(const Instruction& instruction, const PlacementNeed& need) {
    if (!need.null_skipped || !flags_are_null_test) return false;
    std::optional<std::uint64_t> target = branch_target(instruction);
    if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_JZ) {
      vaddr = instruction.end();
      return true;
    }
    // `jne body`: the way of the calls that matter goes on there; only forward, or it might be a loop.
    if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_JNZ && target && *target >= instruction.end()) {
      vaddr = *target;
      return true;
    }
    return false;
  }
};

// Shapes that say the same of other registers.
constexpr dwell_probe_shape kSameElsewhere[][2] = {
    {DWELL_SHAPE_SIZE_ARG0, DWELL_SHAPE_SIZE_ARG1},
    {DWELL_SHAPE_PRODUCT_ARG0_ARG1, DWELL_SHAPE_PRODUCT_ARG1_ARG2},
    {DWELL_SHAPE_REALLOC_ARG0_ARG1, DWELL_SHAPE_REALLOC_ARG1_ARG2},
    {DWELL_SHAPE_REALLOCARRAY, DWELL_SHAPE_REALLOCARRAY_ARG1},
};

bool reads_right(const ArgumentRegisters& registers, dwell_probe_shape shape, const PlacementNeed& need) {
  std::vector<int> read = need_of(shape).arguments;
  for (std::size_t i = 0; i < need.arguments.size(); ++i)
    if (!registers.holds(read[i], need.arguments[i])) return false;
  return true;
}

// The shape to read the arguments by at this point, if they are still all there.
std::optional<dwell_probe_shape> fitting_shape(const Walk& walk, const PlacementNeed& need) {
  if (need.returns && walk.cfa_offset != 8) return std::nullopt;
  if (need.frame_pointer && !walk.has_callers_bp) return std::nullopt;
  if (reads_right(walk.arguments, need.shape, need)) return need.shape;
  for (const auto& [one, other] : kSameElsewhere) {
    if (need.shape == one && reads_right(walk.arguments, other, need)) return other;
    if (need.shape == other && reads_right(walk.arguments, one, need)) return one;
  }
  return std::nullopt;
}

std::uint32_t first_body_byte(const Disassembler& disassembler, const FunctionCode& code) {
  std::optional<Instruction> first = disassembler.at(code.bytes, code.vaddr);
  return first && first->decoded.mnemonic == ZYDIS_MNEMONIC_ENDBR64 ? 4 : 0;
}

// Whether some branch enters behind the entry and not behind `vaddr`: a loop that executes it again, or a
// way around it. Calls to the byte behind endbr64 are calls of the function all the same.
bool entered_between(std::uint64_t body, std::uint64_t vaddr, const std::vector<std::uint64_t>& targets) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](std::uint64_t target) { return target > body && target <= vaddr; });
}

}  // namespace

const char* trap_class_name(TrapClass trap) {
  switch (trap) {
    case TrapClass::kNop5:
      return "nop5";
    case TrapClass::kEmulated:
      return "emulated";
    case TrapClass::kStepped:
      return "single-stepped";
  }
  return "?";
}

PlacementNeed need_of(dwell_probe_shape shape) {
  PlacementNeed need{.shape = shape, .returns = true, .arguments = {}, .null_skipped = false};
  switch (shape) {
    case DWELL_SHAPE_SIZE_ARG0:
    case DWELL_SHAPE_BRK:
    case DWELL_SHAPE_SBRK:
      need.arguments = {0};
      break;
    case DWELL_SHAPE_SIZE_ARG1:
      need.arguments = {1};
      break;
    case DWELL_SHAPE_PRODUCT_ARG0_ARG1:
    case DWELL_SHAPE_REALLOC_ARG0_ARG1:
    case DWELL_SHAPE_REALLOCF:
    case DWELL_SHAPE_XALLOCX:
      need.arguments = {0, 1};
      break;
    case DWELL_SHAPE_PRODUCT_ARG1_ARG2:
    case DWELL_SHAPE_REALLOC_ARG1_ARG2:
      need.arguments = {1, 2};
      break;
    case DWELL_SHAPE_MEMALIGN_OUT:
      need.arguments = {0, 2};
      break;
    case DWELL_SHAPE_REALLOCARRAY:
      need.arguments = {0, 1, 2};
      break;
    case DWELL_SHAPE_REALLOCARRAY_ARG1:
      need.arguments = {1, 2, 3};
      break;
    case DWELL_SHAPE_MMAP:
    case DWELL_SHAPE_MREMAP:
      need.arguments = {0, 1, 2, 3, 4};
      break;
    case DWELL_SHAPE_FREE_ARG0:
      need = {.shape = shape, .returns = false, .arguments = {0}, .null_skipped = true};
      break;
    case DWELL_SHAPE_MUNMAP:
      need = {.shape = shape, .returns = false, .arguments = {0, 1}, .null_skipped = false};
      break;
    case DWELL_SHAPE_TAKE_RESULT:
      need.arguments = {0, 1, 2, 3, 4, 5};
      break;
    case DWELL_SHAPE_TAKE_ARGUMENT:
      need = {.shape = shape, .returns = false, .arguments = {0, 1, 2, 3, 4, 5}, .null_skipped = false, .frame_pointer = true};
      break;
    case DWELL_SHAPE_GIVE:
      need = {.shape = shape, .returns = false, .arguments = {0, 1, 2, 3, 4, 5}, .null_skipped = false};
      break;
    case DWELL_SHAPE_THROW:
    case DWELL_SHAPE_NONE:
    case DWELL_SHAPES:
      need.returns = false;
      break;
  }
  return need;
}

std::vector<Placement> plan_placements(const FunctionCode& code, const PlacementNeed& need,
                                       const TrapAbilities& abilities, const TrapPrices& prices,
                                       std::span<const std::uint64_t> entered_inside) {
  Disassembler disassembler;
  std::vector<std::uint64_t> targets = own_branch_targets(disassembler, code);
  targets.insert(targets.end(), entered_inside.begin(), entered_inside.end());
  std::uint64_t body = code.vaddr + first_body_byte(disassembler, code);

  std::vector<Placement> placements;
  Walk walk;
  walk.vaddr = code.vaddr;
  for (std::size_t count = 0; count < kMaxPrologue; ++count) {
    std::uint64_t offset = walk.vaddr - code.vaddr;
    if (offset >= code.bytes.size()) break;
    // Nothing is known about ways back from code that was not given: then only the entry is safe.
    if (offset != 0 && !code.complete) break;
    if (entered_between(body, walk.vaddr, targets)) break;
    std::span<const std::byte> bytes = code.bytes.subspan(offset);
    std::optional<Instruction> instruction = disassembler.at(bytes, walk.vaddr);
    if (!instruction) break;
    std::optional<dwell_probe_shape> shape = fitting_shape(walk, need);
    TrapClass trap = classify(*instruction, bytes, abilities);
    // The call that takes the place of a nop pushes its return address just there.
    bool overwrites = trap == TrapClass::kNop5 && walk.uses_red_zone;
    if (shape && !overwrites && !refused_by_kernel(*instruction)) {
      placements.push_back({.shape = *shape,
                            .offset = static_cast<std::uint32_t>(offset),
                            .cfa_offset = static_cast<std::uint32_t>(walk.cfa_offset),
                            .trap = trap,
                            .instruction = disassembler.text(*instruction),
                            .cost_ns = prices.entry_ns[static_cast<int>(trap)] + (need.returns ? prices.return_ns : 0)});
    }
    if (!walk.step(*instruction, need)) break;
    // The one branch that was followed leads here rightly; a second one to the same place would not.
    if (walk.vaddr != instruction->end()) {
      auto followed = std::find(targets.begin(), targets.end(), walk.vaddr);
      if (followed != targets.end()) targets.erase(followed);
    }
  }
  std::stable_sort(placements.begin(), placements.end(),
                   [](const Placement& a, const Placement& b) { return a.cost_ns < b.cost_ns; });
  return placements;
}

// Whether a 32-bit displacement at `at` could be that of a branch: call, jmp, or a conditional jump.
static bool could_be_branch(std::span<const std::byte> text, std::size_t at) {
  auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(text[i]); };
  if (at >= 1 && (byte(at - 1) == 0xe8 || byte(at - 1) == 0xe9)) return true;
  return at >= 2 && byte(at - 2) == 0x0f && (byte(at - 1) & 0xf0) == 0x80;
}

std::vector<std::uint64_t> branch_targets_within(std::span<const std::byte> text, std::uint64_t text_vaddr,
                                                 std::span<const BranchRange> ranges) {
  if (ranges.empty()) return {};
  std::uint64_t low = ~std::uint64_t{0}, high = 0;
  for (const BranchRange& range : ranges) {
    low = std::min(low, range.start);
    high = std::max(high, range.end);
  }
  // One bit for each granule of the text that a range touches: it turns nearly every position away.
  constexpr std::uint64_t kGranule = 64;
  std::vector<bool> touched((high - low) / kGranule + 1);
  for (const BranchRange& range : ranges)
    for (std::uint64_t at = (range.start - low) / kGranule; at <= (range.end - 1 - low) / kGranule; ++at)
      touched[at] = true;

  std::vector<std::uint64_t> found;
  for (std::size_t at = 0; at + 4 <= text.size(); ++at) {
    std::int32_t distance;
    std::memcpy(&distance, text.data() + at, 4);
    std::uint64_t target = text_vaddr + at + 4 + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
    if (target < low || target >= high || !touched[(target - low) / kGranule] || !could_be_branch(text, at)) continue;
    if (std::any_of(ranges.begin(), ranges.end(),
                    [&](const BranchRange& range) { return target >= range.start && target < range.end; }))
      found.push_back(target);
  }
  return found;
}

}  // namespace dwell
