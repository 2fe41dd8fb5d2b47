// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/exits.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "userspace/probes/instructions.h"

namespace dwell {
namespace {

constexpr std::size_t kMaxRanges = 48, kMaxExits = 96;
constexpr std::uint64_t kMaxRange = 64 << 10, kMaxBytes = 256 << 10;
constexpr int kTableLoadDistance = 6;  // instructions between the load from a jump table and the jump

bool loads_from_table(const Instruction& instruction) {
  auto visible = instruction.visible();
  return instruction.decoded.mnemonic == ZYDIS_MNEMONIC_MOVSXD && visible.size() == 2 &&
         visible[1].type == ZYDIS_OPERAND_TYPE_MEMORY && visible[1].mem.index != ZYDIS_REGISTER_NONE;
}

std::optional<std::uint64_t> rip_relative(const Instruction& instruction, const ZydisDecodedOperand& operand) {
  if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.base != ZYDIS_REGISTER_RIP) return std::nullopt;
  return instruction.end() + static_cast<std::uint64_t>(operand.mem.disp.value);
}

bool returns_its_argument(std::string_view name) {
  return name == "memset" || name == "memcpy" || name == "memmove";
}

class ExitSearch {
 public:
  ExitSearch(const ElfFile& elf, const CallTargets& targets, const FunctionRanges& ranges,
             const std::set<std::uint64_t>& seen_to_return)
      : elf_(elf), targets_(targets), ranges_(ranges), seen_to_return_(seen_to_return) {}

  FunctionExits search(BranchRange function, const std::set<std::uint64_t>& excluded) {
    function_ = function;
    pending_.push_back(function);
    while (!pending_.empty() && why_not_.empty()) {
      BranchRange range = pending_.back();
      pending_.pop_back();
      if (!swept_.insert(range.start).second) continue;
      sweep(range);
      if (pending_.empty() && jumps_anywhere_ && why_not_.empty()) follow_taken();  // code there may take more
    }
    if (why_not_.empty() && exits_.empty() && handed_on_.empty()) why_not_ = "it never returns";
    if (!why_not_.empty()) return {{}, {}, why_not_};
    EarlyExits early = find_early_exits({std::as_bytes(std::span(code_)), function.start, true}, excluded, entered_);
    for (std::uint64_t replaced : early.replaced) exits_.erase(replaced);
    early.branches.insert(early.branches.end(), handed_on_.begin(), handed_on_.end());
    return {{exits_.begin(), exits_.end()}, std::move(early.branches), ""};
  }

 private:
  void sweep(const BranchRange& range) {
    bytes_ += range.end - range.start;
    if (range.end - range.start > kMaxRange || bytes_ > kMaxBytes || swept_.size() > kMaxRanges)
      return refuse("its code is too large to find where it returns");
    Result<std::string> bytes = elf_.bytes_at(range.start, range.end - range.start);
    if (!bytes) return refuse(bytes.error().what);
    if (range.start == function_.start) code_ = *bytes;
    std::span<const std::byte> code = std::as_bytes(std::span(*bytes));
    since_table_load_ = kTableLoadDistance;
    for (std::uint64_t at = range.start; at < range.end && why_not_.empty();) {
      std::optional<Instruction> instruction = disassembler_.at(code.subspan(at - range.start), at);
      if (!instruction) return refuse(fmt::format("its code at {:#x} could not be read", at));
      look_at(*instruction, range);
      at = instruction->end();
    }
  }

  void look_at(const Instruction& instruction, const BranchRange& range) {
    since_table_load_ = loads_from_table(instruction) ? 0 : since_table_load_ + 1;
    if (is_return(instruction)) {
      exits_.insert(instruction.vaddr);
      if (exits_.size() > kMaxExits) refuse("it returns in too many places");
    } else if (is_jump(instruction) || is_conditional_jump(instruction)) {
      jump(instruction, range);
    } else if (!is_call(instruction)) {
      note_taken(instruction);
    }
  }

  void jump(const Instruction& instruction, const BranchRange& range) {
    if (std::optional<std::uint64_t> target = branch_target(instruction)) {
      if (std::optional<std::string> name = targets_.import_at(*target); name && returns_its_argument(*name))
        return hand_on(instruction);
      if (*target < range.start || *target >= range.end) follow(*target);
      return;
    }
    if (instruction.visible().empty()) return;
    const ZydisDecodedOperand& operand = instruction.operands[0];
    if (std::optional<std::uint64_t> slot = rip_relative(instruction, operand)) {
      if (std::optional<std::string> name = targets_.import_in_slot(*slot)) return follow(*name);
    }
    bool by_table = since_table_load_ < kTableLoadDistance ||
                    (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.index != ZYDIS_REGISTER_NONE);
    jumps_anywhere_ = jumps_anywhere_ || !by_table;
  }

  // A last call of memset: its result is its first argument, and the frame is gone.
  void hand_on(const Instruction& instruction) {
    constexpr std::uint8_t kFirstArgument = 7, kConditionBits = 0x0f;  // rdi
    std::uint8_t condition = is_conditional_jump(instruction) ? instruction.decoded.opcode & kConditionBits : kAlways;
    handed_on_.push_back({instruction.vaddr, condition, true, kFirstArgument, 8, -1});
  }

  void follow(std::uint64_t target) {
    if (seen_to_return_.count(target) || targets_.is_own_end(target)) return;
    if (std::optional<std::string> name = targets_.import_at(target)) return follow(*name);
    if (target >= function_.start && target < function_.end) {
      entered_.insert(target);
      return;
    }
    std::optional<BranchRange> range = ranges_.containing(target);
    if (!range) return refuse(fmt::format("it goes on at {:#x}, in no known function", target));
    pending_.push_back(*range);
  }

  // By way of the linkage table, within the module or to another one.
  void follow(const std::string& name) {
    if (never_returns(name)) return;
    for (const ElfSymbol& symbol : elf_.symbols())
      if (symbol.defined && symbol.vaddr && symbol.name == name) return follow(symbol.vaddr);
    if (wants_return(alloc_name(name).shape) && !may_throw(name)) return;  // it is seen to return
    refuse(fmt::format("it ends in a jump to {}, in another module", name));
  }

  // Where a jump by a register may lead: to the functions whose addresses are taken in the code.
  void note_taken(const Instruction& instruction) {
    auto visible = instruction.visible();
    if (visible.size() != 2) return;
    std::optional<std::uint64_t> address = rip_relative(instruction, visible[1]);
    if (!address) return;
    if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_LEA && ranges_.begins_at(*address)) {
      taken_.insert(*address);
    } else if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_MOV) {
      std::optional<std::string> name = targets_.import_in_slot(*address);
      if (!name) return;
      for (const ElfSymbol& symbol : elf_.symbols())
        if (symbol.defined && symbol.name == *name && ranges_.begins_at(symbol.vaddr)) taken_.insert(symbol.vaddr);
    }
  }

  void follow_taken() {
    if (taken_.empty()) return refuse("it ends in a jump to a place that is chosen while it runs");
    for (std::uint64_t function : taken_)
      if (followed_.insert(function).second) follow(function);
  }

  void refuse(std::string why) {
    if (why_not_.empty()) why_not_ = std::move(why);
  }

  const ElfFile& elf_;
  const CallTargets& targets_;
  const FunctionRanges& ranges_;
  const std::set<std::uint64_t>& seen_to_return_;
  Disassembler disassembler_;
  BranchRange function_{};
  std::string code_;  // of the function itself
  std::set<std::uint64_t> entered_;  // of it, from elsewhere
  std::vector<EarlyExit> handed_on_;
  std::vector<BranchRange> pending_;
  std::set<std::uint64_t> swept_, exits_, taken_, followed_;
  std::uint64_t bytes_ = 0;
  int since_table_load_ = kTableLoadDistance;
  bool jumps_anywhere_ = false;
  std::string why_not_;
};

}  // namespace

FunctionExits find_exits(const ElfFile& elf, const CallTargets& targets, const FunctionRanges& ranges,
                         const AllocFunction& function, const std::set<std::uint64_t>& seen_to_return,
                         const std::set<std::uint64_t>& excluded) {
  std::optional<BranchRange> code = ranges.containing(function.vaddr);
  if (code) code->start = function.vaddr;
  if (!code && function.size) code = BranchRange{function.vaddr, function.vaddr + function.size};
  if (!code) return {{}, {}, "it is not known where its code ends"};
  return ExitSearch(elf, targets, ranges, seen_to_return).search(*code, excluded);
}

}  // namespace dwell
