// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/read_holds.h"

#include <algorithm>
#include <array>
#include <compare>
#include <map>
#include <set>
#include <vector>

#include "symbolizer/demangle.h"
#include "userspace/probes/forwarders.h"
#include "userspace/probes/instructions.h"
#include "userspace/threads/lock_kinds.h"

namespace dwell {
namespace {

constexpr std::size_t kRegisters = 16;
constexpr std::size_t kMostBlocks = 20'000;  // passed; a block is passed again when less is known at its beginning
constexpr std::size_t kDeepest = 4;          // loads from what was loaded
enum Register : std::size_t { kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi, kR8, kR9, kR10, kR11 };
constexpr Register kChangedByCalls[] = {kRax, kRcx, kRdx, kRsi, kRdi, kR8, kR9, kR10, kR11};

// What a register holds, in terms of what the registers held at the function's beginning: ((register + d0)-> + d1)-> + d2.
class Value {
 public:
  Value() = default;
  static Value of_register(std::size_t number) { return Value(static_cast<std::int64_t>(number), {0}); }
  static Value constant(std::uint64_t value) { return Value(kConstant, {static_cast<std::int64_t>(value)}); }
  // Not known, but the same wherever it is copied to.
  static Value made_at(std::uint64_t instruction) { return Value(kConstant + 1 + static_cast<std::int64_t>(instruction), {0}); }

  bool is_known() const { return root_ != kUnknown; }
  bool is_address() const { return is_known() && root_ <= kConstant; }
  std::optional<std::size_t> root_register() const { return root_ >= 0 && root_ < kConstant ? std::optional(static_cast<std::size_t>(root_)) : std::nullopt; }
  const std::vector<std::int64_t>& path() const { return path_; }

  // The address of the constant place in memory that it was read from.
  std::optional<std::uint64_t> slot() const {
    return root_ == kConstant && path_.size() == 2 && path_[1] == 0 ? std::optional(static_cast<std::uint64_t>(path_[0])) : std::nullopt;
  }

  Value plus(std::int64_t number) const {
    Value sum = *this;
    if (is_known()) sum.path_.back() = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum.path_.back()) + static_cast<std::uint64_t>(number));
    return sum;
  }
  Value loaded() const {
    if (!is_address() || path_.size() > kDeepest) return {};
    Value there = *this;
    there.path_.push_back(0);
    return there;
  }
  auto operator<=>(const Value&) const = default;

 private:
  static constexpr std::int64_t kUnknown = -1, kConstant = kRegisters;
  Value(std::int64_t root, std::vector<std::int64_t> path) : root_(root), path_(std::move(path)) {}

  std::int64_t root_ = kUnknown;
  std::vector<std::int64_t> path_;
};

struct State {
  std::array<Value, kRegisters> registers;
  std::map<Value, Value> memory;            // by address
  std::map<Value, std::uint64_t> held;      // locks that every way here has locked to read: by which instruction

  static State at_beginning() {
    State state;
    for (std::size_t i = 0; i < kRegisters; ++i) state.registers[i] = Value::of_register(i);
    return state;
  }
  Value load(const Value& address) const {
    auto found = memory.find(address);
    return found == memory.end() ? address.loaded() : found->second;
  }
  void store(const Value& address, Value value) {
    if (address.is_address()) memory.insert_or_assign(address, std::move(value));
  }
  // What is known on both ways; whether that is less than before.
  bool meet(const State& other) {
    bool less = false;
    for (std::size_t i = 0; i < kRegisters; ++i) {
      if (!registers[i].is_known() || registers[i] == other.registers[i]) continue;
      registers[i] = Value();
      less = true;
    }
    less |= std::erase_if(memory, [&](const auto& entry) {
      auto there = other.memory.find(entry.first);
      return there == other.memory.end() || there->second != entry.second;
    }) > 0;
    less |= std::erase_if(held, [&](const auto& entry) { return !other.held.contains(entry.first); }) > 0;
    return less;
  }
};

std::optional<std::size_t> number_of(ZydisRegister name) {
  ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);
  if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) return std::nullopt;
  return static_cast<std::size_t>(ZydisRegisterGetId(whole));
}

bool is_register(const ZydisDecodedOperand& operand) { return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && number_of(operand.reg.value) && operand.size >= 32; }
bool is_memory(const ZydisDecodedOperand& operand) { return operand.type == ZYDIS_OPERAND_TYPE_MEMORY; }
bool is_number(const ZydisDecodedOperand& operand) { return operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE; }

class FunctionWalk {
 public:
  explicit FunctionWalk(const FrameCode& code) : code_(code) { decode(); }

  // What is known where the call begins that the frame waits in; none: no way was found to it.
  std::optional<State> at_call() {
    at_beginning_.emplace(code_.begin, State::at_beginning());
    std::set<std::uint64_t> next{code_.begin};
    for (std::size_t passed = 0; !next.empty(); ++passed) {
      if (passed == kMostBlocks) return std::nullopt;
      std::uint64_t block = *next.begin();
      next.erase(next.begin());
      pass(block, next);
    }
    return at_call_;
  }

 private:
  void decode() {
    auto bytes = std::as_bytes(std::span(code_.bytes));
    leaders_.insert(code_.begin);
    for (std::size_t at = 0; at < bytes.size();) {
      std::optional<Instruction> instruction = disassembler_.at(bytes.subspan(at), code_.begin + at);
      if (!instruction) return;
      at += instruction->decoded.length;
      if (is_call(*instruction)) continue;
      if (std::optional<std::uint64_t> target = branch_target(*instruction)) leaders_.insert(*target);
      if (is_conditional_jump(*instruction)) leaders_.insert(instruction->end());
    }
  }

  void pass(std::uint64_t block, std::set<std::uint64_t>& next) {
    State state = at_beginning_.at(block);
    for (std::uint64_t at = block; at - code_.begin < code_.bytes.size();) {
      std::optional<Instruction> instruction = disassembler_.at(std::as_bytes(std::span(code_.bytes)).subspan(at - code_.begin), at);
      if (!instruction) return;
      at = instruction->end();
      if (is_call(*instruction)) {
        if (at == code_.returns_to) note_call(state);
        if (!call(*instruction, state)) return;
      } else if (is_return(*instruction) || instruction->decoded.mnemonic == ZYDIS_MNEMONIC_UD2) {
        return;
      } else if (is_jump(*instruction) || is_conditional_jump(*instruction)) {
        if (std::optional<std::uint64_t> target = branch_target(*instruction)) reach(*target, state, next);
        if (is_jump(*instruction)) return;
      } else {
        change(*instruction, state);
      }
      if (leaders_.contains(at)) return reach(at, state, next);
    }
  }

  void note_call(const State& state) {
    if (at_call_)
      at_call_->meet(state);
    else
      at_call_ = state;
  }

  void reach(std::uint64_t at, const State& state, std::set<std::uint64_t>& next) {
    if (at - code_.begin >= code_.bytes.size()) return;
    auto [known, fresh] = at_beginning_.try_emplace(at, state);
    if (fresh || known->second.meet(state)) next.insert(at);
  }

  // False: it doesn't return.
  bool call(const Instruction& instruction, State& state) const {
    LockCall called = lock_call(name_of_called(instruction, state));
    const Value lock = called.argument < 0 ? Value() : state.registers[called.argument ? kRsi : kRdi];
    if (called.step == LockStep::kLocksToRead && lock.is_address()) state.held.emplace(lock, instruction.vaddr);
    if (called.step == LockStep::kUnlocks && lock.is_address()) state.held.erase(lock);
    if (called.step == LockStep::kUnlocks && !lock.is_address()) state.held.clear();
    Value result = called.step == LockStep::kReturnsFirst ? state.registers[kRdi] : Value();
    for (Register changed : kChangedByCalls) state.registers[changed] = Value();
    state.registers[kRax] = std::move(result);
    return called.step != LockStep::kNeverReturns;
  }

  std::string name_of_called(const Instruction& instruction, const State& state) const {
    if (std::optional<std::uint64_t> target = branch_target(instruction)) return code_.name_at(*target);
    const ZydisDecodedOperand& operand = instruction.operands[0];
    Value called = is_memory(operand) ? address_of(instruction, operand, state).loaded() : is_register(operand) ? state.registers[*number_of(operand.reg.value)] : Value();
    std::optional<std::uint64_t> slot = called.slot();
    return slot ? code_.name_in(*slot) : "";
  }

  static Value address_of(const Instruction& instruction, const ZydisDecodedOperand& operand, const State& state) {
    const auto& memory = operand.mem;
    std::int64_t displacement = memory.disp.has_displacement ? memory.disp.value : 0;
    if (memory.index != ZYDIS_REGISTER_NONE || memory.segment == ZYDIS_REGISTER_FS || memory.segment == ZYDIS_REGISTER_GS) return {};
    if (memory.base == ZYDIS_REGISTER_NONE) return Value::constant(static_cast<std::uint64_t>(displacement));
    if (memory.base == ZYDIS_REGISTER_RIP) return Value::constant(instruction.end() + static_cast<std::uint64_t>(displacement));
    std::optional<std::size_t> base = number_of(memory.base);
    return base ? state.registers[*base].plus(displacement) : Value();
  }

  // What an instruction leaves in its first operand; none: nothing that is followed.
  static Value result_of(const Instruction& instruction, const State& state) {
    std::span<const ZydisDecodedOperand> operands = instruction.visible();
    auto value_of = [&](const ZydisDecodedOperand& operand) {
      if (is_register(operand)) return state.registers[*number_of(operand.reg.value)];
      if (is_number(operand)) return Value::constant(operand.imm.value.u);
      if (is_memory(operand) && operand.size == 64) return state.load(address_of(instruction, operand, state));
      return Value::made_at(instruction.vaddr);
    };
    if (operands.empty()) return {};
    switch (instruction.decoded.mnemonic) {
      case ZYDIS_MNEMONIC_MOV: return value_of(operands[1]);
      case ZYDIS_MNEMONIC_LEA: return address_of(instruction, operands[1], state);
      case ZYDIS_MNEMONIC_INC: return value_of(operands[0]).plus(1);
      case ZYDIS_MNEMONIC_ADD: return is_number(operands[1]) ? value_of(operands[0]).plus(operands[1].imm.value.s) : Value();
      case ZYDIS_MNEMONIC_SUB: return is_number(operands[1]) ? value_of(operands[0]).plus(-operands[1].imm.value.s) : Value();
      default: return {};
    }
  }

  static void change(const Instruction& instruction, State& state) {
    std::span<const ZydisDecodedOperand> operands = instruction.visible();
    bool locked = (instruction.decoded.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    if (locked && !operands.empty() && is_memory(operands[0])) return change_atomically(instruction, state);
    if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_PUSH) {
      Value value = is_register(operands[0]) ? state.registers[*number_of(operands[0].reg.value)] : Value();
      state.registers[kRsp] = state.registers[kRsp].plus(-8);
      return state.store(state.registers[kRsp], std::move(value));
    }
    if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_POP && is_register(operands[0])) {
      Value value = state.load(state.registers[kRsp]);
      state.registers[kRsp] = state.registers[kRsp].plus(8);
      state.registers[*number_of(operands[0].reg.value)] = std::move(value);
      return;
    }
    Value result = result_of(instruction, state);
    forget_written(instruction, state);
    if (operands.empty() || !(operands[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) return;
    if (is_register(operands[0])) state.registers[*number_of(operands[0].reg.value)] = std::move(result);
    if (is_memory(operands[0])) state.store(address_of(instruction, operands[0], state), operands[0].size == 64 ? std::move(result) : Value());
  }

  // Rust's RwLock counts its readers in a word. Who tries to read raises it by one if nobody else does, and who tries to write puts
  // another number in place of 0; who fails calls a function that goes on. Whatever else changes the word may be a release.
  static void change_atomically(const Instruction& instruction, State& state) {
    std::span<const ZydisDecodedOperand> operands = instruction.visible();
    Value lock = address_of(instruction, operands[0], state);
    bool tries = instruction.decoded.mnemonic == ZYDIS_MNEMONIC_CMPXCHG;
    bool to_read = tries && is_register(operands[1]) && state.registers[kRax].is_known() &&
                   state.registers[*number_of(operands[1].reg.value)] == state.registers[kRax].plus(1);
    if (!tries) state.held.erase(lock);
    if (to_read && lock.is_address()) state.held.emplace(lock, instruction.vaddr);
    forget_written(instruction, state);
  }

  static void forget_written(const Instruction& instruction, State& state) {
    for (const ZydisDecodedOperand& operand : instruction.all()) {
      bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
      if (!writes || operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
      if (std::optional<std::size_t> number = number_of(operand.reg.value)) state.registers[*number] = Value();
    }
  }

  const FrameCode& code_;
  Disassembler disassembler_;
  std::set<std::uint64_t> leaders_;  // where jumps lead
  std::map<std::uint64_t, State> at_beginning_;
  std::optional<State> at_call_;
};

// What a called function says of its registers at its beginning, in terms of the one that called it.
Value in_caller(const Value& value, const State& caller) {
  std::optional<std::size_t> root = value.root_register();
  if (!root) return {};
  Value result = caller.registers[*root];
  for (std::size_t i = 0; i < value.path().size() && result.is_known(); ++i) {
    if (i > 0) result = caller.load(result);
    result = result.plus(value.path()[i]);
  }
  return result;
}

}  // namespace

LockCall lock_call(std::string_view symbol) {
  std::string demangled = is_mangled(symbol) ? demangle(symbol, DemangleWidth::kShort) : std::string(symbol);
  std::string_view name = is_mangled(symbol) ? std::string_view(demangled) : public_name(demangled);
  auto has = [&](std::string_view part) { return demangled.find(part) != demangled.npos; };
  if (never_returns(symbol) || demangled.starts_with("std::__throw") || has("core::panicking") || has("unwrap_failed")) return {LockStep::kNeverReturns, -1};
  if (name == "std::__addressof" || name == "std::addressof" || name == "std::forward" || name == "std::move") return {LockStep::kReturnsFirst, -1};
  if (name.starts_with("pthread_rwlock_rdlock")) return {LockStep::kLocksToRead, 0};
  bool of_guard = has("_lock::") || has("Guard");
  if (name.starts_with("pthread_rwlock_unlock") || (!of_guard && (name.ends_with("::unlock_shared") || name.ends_with("::unlock")))) return {LockStep::kUnlocks, 0};
  if (name.ends_with("::lock_shared")) return {LockStep::kLocksToRead, 0};
  if (name.ends_with("::shared_lock")) return {LockStep::kLocksToRead, 1};
  if (has("RwLock") && (name.ends_with("::read_contended") || (name.ends_with("::read") && has("futex")))) return {LockStep::kLocksToRead, 0};
  if (has("RwLock") && name.ends_with("::read")) return {LockStep::kLocksToRead, 1};  // the guard is made in memory that the first points to
  // A guard's end, and whatever else has a name for it.
  constexpr std::string_view kEnds[] = {"::~shared_lock", "::~unique_lock", "drop_in_place", "mem::drop", "wake_writer_or_readers", "unlock", "Unlock", "release", "Release"};
  bool of_other = name.starts_with("pthread_mutex_") || name.starts_with("pthread_spin_") || (name.starts_with("std::") && !has("_lock") && !has("RwLock"));
  if (!of_other && std::ranges::any_of(kEnds, has)) return {LockStep::kUnlocks, -1};
  return {};
}

std::optional<ReadHold> find_read_hold(std::span<const FrameCode> frames, std::uint64_t lock) {
  Value wanted = Value::of_register(kRdi);  // as the function has it that locks to write
  const Value itself = Value::constant(lock);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    std::optional<State> state = FunctionWalk(frames[i]).at_call();
    wanted = state ? in_caller(wanted, *state) : Value();
    if (!state) continue;
    auto held = state->held.find(wanted);
    if (held == state->held.end()) held = state->held.find(itself);
    if (held != state->held.end()) return ReadHold{i, held->second};
  }
  return std::nullopt;
}

}  // namespace dwell
