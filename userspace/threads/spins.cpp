// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/spins.h"

#include <sys/syscall.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "userspace/probes/instructions.h"

namespace dwell {
namespace {

constexpr std::size_t kFewestStates = 24;
constexpr std::size_t kMostPlaces = 24;      // a program that works on something is at more of them
constexpr std::size_t kRepeatedShare = 4;    // one of so many states at least: a loop that counts pauses repeats after a while
constexpr std::size_t kYieldingShare = 10;   // all but one of so many
constexpr std::uint64_t kNoCall = ~std::uint64_t{0};

auto key_of(const dwell_run_state& state) {
  return std::tuple(state.ip, state.flags, state.stack,
                    std::vector<std::uint64_t>(std::begin(state.registers), std::end(state.registers)));
}

bool is_stack(ZydisRegister reg) {
  ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  return whole == ZYDIS_REGISTER_RSP || whole == ZYDIS_REGISTER_RBP;
}

}  // namespace

std::optional<Spin> find_spin(std::span<const dwell_run_state> states) {
  if (states.size() < kFewestStates) return std::nullopt;
  auto yielding = static_cast<std::size_t>(std::ranges::count(states, std::uint64_t{SYS_sched_yield}, &dwell_run_state::call));
  Spin spin;
  spin.seen = states.size();
  spin.yields = yielding * kYieldingShare >= states.size() * (kYieldingShare - 1);
  if (spin.yields) spin.repeated = yielding;
  if (spin.yields) return spin;
  std::set<std::uint64_t> places;
  std::map<decltype(key_of(states[0])), std::size_t> met;
  for (const dwell_run_state& state : states) {
    if (state.call != kNoCall || state.stack == 0) return std::nullopt;
    places.insert(state.ip);
    ++met[key_of(state)];
  }
  for (const auto& [key, times] : met)
    if (times > 1) spin.repeated += times;
  spin.places = places.size();
  bool stays = spin.places <= kMostPlaces && spin.repeated * kRepeatedShare >= spin.seen;
  return stays ? std::optional(spin) : std::nullopt;
}

namespace {

// The instructions that may follow those at which it was met, not far from them. A processor that pauses is met behind its pause.
class Loop {
 public:
  Loop(std::span<const dwell_run_state> states, const CodeAt& code_at) : state_(states.front()) {
    std::vector<std::uint64_t> next;
    for (const dwell_run_state& state : states) next.push_back(state.ip);
    while (!next.empty() && instructions_.size() < kMostInstructions) {
      std::uint64_t at = next.back();
      next.pop_back();
      if (instructions_.contains(at) || at - state_.ip + kFarthest > 2 * kFarthest) continue;
      std::optional<Instruction> instruction = disassembler_.at(code_at(at), at);
      if (!instruction) continue;
      if (std::optional<std::uint64_t> target = branch_target(*instruction); target && !is_call(*instruction)) next.push_back(*target);
      bool goes_on = !is_return(*instruction) && (!is_jump(*instruction) || is_conditional_jump(*instruction));
      if (goes_on) next.push_back(instruction->end());
      instructions_.emplace(at, *instruction);
    }
  }

  // Addresses that instructions of the loop read by registers that none of them changes.
  std::set<std::uint64_t> reads() const {
    std::set<std::uint64_t> addresses;
    for (const auto& [at, instruction] : instructions_)
      for (const ZydisDecodedOperand& operand : instruction.visible())
        if (std::optional<std::uint64_t> address = address_of(instruction, operand)) addresses.insert(*address);
    return addresses;
  }

 private:
  static constexpr std::size_t kMostInstructions = 64;
  static constexpr std::uint64_t kFarthest = 512;  // bytes of code

  std::optional<std::uint64_t> address_of(const Instruction& instruction, const ZydisDecodedOperand& operand) const {
    const auto& memory = operand.mem;
    bool reads = operand.type == ZYDIS_OPERAND_TYPE_MEMORY && memory.type == ZYDIS_MEMOP_TYPE_MEM && operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ;
    if (!reads || is_stack(memory.base) || memory.segment == ZYDIS_REGISTER_FS || memory.segment == ZYDIS_REGISTER_GS) return std::nullopt;
    std::optional<std::uint64_t> base = value_of(instruction, memory.base), index = value_of(instruction, memory.index);
    if (!base || !index) return std::nullopt;
    return *base + *index * memory.scale + static_cast<std::uint64_t>(memory.disp.value);
  }

  std::optional<std::uint64_t> value_of(const Instruction& instruction, ZydisRegister reg) const {
    if (reg == ZYDIS_REGISTER_NONE) return 0;
    if (reg == ZYDIS_REGISTER_RIP) return instruction.end();
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    for (const auto& [at, one] : instructions_)
      if (writes_register(one, whole)) return std::nullopt;
    return state_.registers[ZydisRegisterGetId(whole) & (DWELL_REGISTERS - 1)];
  }

  const dwell_run_state& state_;
  Disassembler disassembler_;
  std::map<std::uint64_t, Instruction> instructions_;
};

}  // namespace

std::optional<std::uint64_t> word_it_reads(std::span<const dwell_run_state> states, const CodeAt& code_at) {
  if (states.empty()) return std::nullopt;
  std::set<std::uint64_t> words = Loop(states, code_at).reads();
  return words.size() == 1 ? std::optional(*words.begin()) : std::nullopt;
}

}  // namespace dwell
