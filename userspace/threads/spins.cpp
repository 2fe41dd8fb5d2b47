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

std::optional<std::uint64_t> address_read(std::span<const std::byte> code, const dwell_run_state& state) {
  static const Disassembler disassembler;
  std::optional<Instruction> instruction = disassembler.at(code, state.ip);
  if (!instruction) return std::nullopt;
  for (const ZydisDecodedOperand& operand : instruction->visible()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type != ZYDIS_MEMOP_TYPE_MEM) continue;
    if (!(operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) || is_stack(operand.mem.base)) continue;
    if (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS) continue;
    auto value_of = [&](ZydisRegister reg) -> std::uint64_t {
      if (reg == ZYDIS_REGISTER_NONE) return 0;
      if (reg == ZYDIS_REGISTER_RIP) return instruction->end();
      return state.registers[ZydisRegisterGetId(reg) & (DWELL_REGISTERS - 1)];
    };
    return value_of(operand.mem.base) + value_of(operand.mem.index) * operand.mem.scale + static_cast<std::uint64_t>(operand.mem.disp.value);
  }
  return std::nullopt;
}

}  // namespace dwell
