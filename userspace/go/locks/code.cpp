// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/locks/code.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <deque>

namespace dwell {
namespace {

constexpr std::uint64_t kMostCode = 1 << 20;
constexpr std::uint8_t kReaderCount = 16;  // in a sync.RWMutex

struct LockFunction {
  std::string_view name;
  LockEvent event;
};
// `field` is that of the inlined instruction; a call's argument is the lock itself.
constexpr LockFunction kLockFunctions[] = {
    {"sync.(*Mutex).Lock", {LockUse::kMutex, false, 0}},       {"sync.(*Mutex).Unlock", {LockUse::kMutex, true, 0}},
    {"internal/sync.(*Mutex).Lock", {LockUse::kMutex, false, 0}}, {"internal/sync.(*Mutex).Unlock", {LockUse::kMutex, true, 0}},
    {"sync.(*RWMutex).Lock", {LockUse::kWrite, false, 0}},     {"sync.(*RWMutex).Unlock", {LockUse::kWrite, true, 0}},
    {"sync.(*RWMutex).RLock", {LockUse::kRead, false, kReaderCount}}, {"sync.(*RWMutex).RUnlock", {LockUse::kRead, true, kReaderCount}},
};

bool never_returns(std::string_view function) {
  constexpr std::string_view kPrefixes[] = {"runtime.panic", "runtime.gopanic", "runtime.goPanic", "runtime.throw", "runtime.fatal", "runtime.morestack",
                                            "runtime.block", "runtime.Goexit"};
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return function.starts_with(prefix); });
}

std::uint8_t register_number(ZydisRegister name) {
  ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);
  if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) return kNoRegister;
  return static_cast<std::uint8_t>(ZydisRegisterGetId(whole));
}

bool is_whole_register(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.size == 64 && register_number(operand.reg.value) != kNoRegister;
}
bool is_whole_memory(const ZydisDecodedOperand& operand) { return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.size == 64; }

// Fills in one step from one decoded instruction.
class StepMaker {
 public:
  StepMaker(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand* operands, std::uint64_t address)
      : instruction_(instruction), operands_(operands) {
    step_.address = address;
    step_.next = address + instruction.length;
  }

  CodeStep make() {
    for (unsigned i = 0; i < instruction_.operand_count; ++i) note_effects(operands_[i]);
    take_flow();
    if (step_.op == CodeOp::kOther) take_data();
    return step_;
  }

 private:
  void note_effects(const ZydisDecodedOperand& operand) {
    bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && writes) {
      std::uint8_t number = register_number(operand.reg.value);
      if (number != kNoRegister) step_.writes = static_cast<std::uint16_t>(step_.writes | 1U << number);
    }
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) return;
    if (writes) step_.stored_bytes = static_cast<std::uint16_t>(operand.size / 8);
    CodeMemory& memory = step_.memory;
    memory.displacement = operand.mem.disp.has_displacement ? operand.mem.disp.value : 0;
    if (operand.mem.base == ZYDIS_REGISTER_RIP) {
      memory.displacement += static_cast<std::int64_t>(step_.next);
    } else {
      memory.base = register_number(operand.mem.base);
      memory.index = register_number(operand.mem.index);
      memory.scale = operand.mem.scale;
    }
  }

  void take_flow() {
    bool has_target = instruction_.operand_count_visible && operands_[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    std::uint64_t target = has_target ? step_.next + static_cast<std::uint64_t>(operands_[0].imm.value.s) : 0;
    switch (instruction_.meta.category) {
      case ZYDIS_CATEGORY_CALL: step_.op = CodeOp::kCall; break;
      case ZYDIS_CATEGORY_UNCOND_BR: step_.op = CodeOp::kJump; break;
      case ZYDIS_CATEGORY_COND_BR: step_.op = CodeOp::kBranch; break;
      case ZYDIS_CATEGORY_RET: step_.op = CodeOp::kReturn; break;
      case ZYDIS_CATEGORY_INTERRUPT: step_.op = CodeOp::kEnd; break;
      default:
        if (instruction_.mnemonic == ZYDIS_MNEMONIC_UD2) step_.op = CodeOp::kEnd;
        return;
    }
    step_.target = target;
  }

  void take_data() {
    switch (instruction_.mnemonic) {
      case ZYDIS_MNEMONIC_MOV: take_move(); break;
      case ZYDIS_MNEMONIC_LEA:
        if (is_whole_register(operands_[0])) set(CodeOp::kAddress, operands_[0]);
        break;
      case ZYDIS_MNEMONIC_ADD:
      case ZYDIS_MNEMONIC_SUB:
        if (!is_whole_register(operands_[0]) || operands_[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) break;
        set(CodeOp::kAdd, operands_[0]);
        step_.number = instruction_.mnemonic == ZYDIS_MNEMONIC_ADD ? operands_[1].imm.value.s : -operands_[1].imm.value.s;
        break;
      case ZYDIS_MNEMONIC_PUSH:
        step_.op = CodeOp::kPush;
        if (is_whole_register(operands_[0])) step_.from = register_number(operands_[0].reg.value);
        break;
      case ZYDIS_MNEMONIC_POP:
        if (is_whole_register(operands_[0])) set(CodeOp::kPop, operands_[0]);
        break;
      default: break;
    }
  }

  void take_move() {
    if (is_whole_register(operands_[0]) && is_whole_register(operands_[1])) {
      set(CodeOp::kMove, operands_[0]);
      step_.from = register_number(operands_[1].reg.value);
    } else if (is_whole_register(operands_[0]) && is_whole_memory(operands_[1]) && operands_[1].mem.segment != ZYDIS_REGISTER_FS) {
      set(CodeOp::kLoad, operands_[0]);
    } else if (is_whole_memory(operands_[0]) && is_whole_register(operands_[1])) {
      step_.op = CodeOp::kStore;
      step_.from = register_number(operands_[1].reg.value);
    }
  }

  void set(CodeOp op, const ZydisDecodedOperand& to) {
    step_.op = op;
    step_.to = register_number(to.reg.value);
  }

  const ZydisDecodedInstruction& instruction_;
  const ZydisDecodedOperand* operands_;
  CodeStep step_;
};

bool is_locked_change(const ZydisDecodedInstruction& instruction) {
  return (instruction.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0 &&
         (instruction.mnemonic == ZYDIS_MNEMONIC_CMPXCHG || instruction.mnemonic == ZYDIS_MNEMONIC_XADD || instruction.mnemonic == ZYDIS_MNEMONIC_ADD);
}

bool of_sync_or_runtime(std::string_view function) {
  std::string_view package = function.substr(0, function.find('.'));
  return package == "sync" || package == "internal/sync" || package == "runtime" || package == "internal/runtime/atomic" || package == "sync/atomic";
}

// By the calls that are inlined there: none if the innermost but for atomic operations is no lock's.
std::optional<LockEvent> event_by_line(const GoRuntime& runtime, std::uint64_t address) {
  for (const GoCall& call : runtime.frames().calls_at(address, false)) {
    if (std::optional<LockEvent> event = lock_event(call.function)) return event;
    if (!of_sync_or_runtime(call.function)) break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<LockEvent> lock_event(std::string_view function) {
  for (const LockFunction& known : kLockFunctions)
    if (known.name == function) return known.event;
  return std::nullopt;
}

LockCode::LockCode(const GoRuntime& runtime, const GoRecord& function) : function_(function) {
  if (function.end - function.entry > kMostCode) return;
  decode(runtime);
  // Where a table says where it jumps, what leads where is not known.
  bool by_table = std::ranges::any_of(steps_, [](const CodeStep& step) { return step.op == CodeOp::kJump && !step.target; });
  if (has_events_ && !by_table) find_held();
}

const CodeStep* LockCode::at(std::uint64_t address) const {
  auto found = std::ranges::lower_bound(steps_, address, {}, &CodeStep::address);
  return found != steps_.end() && found->address == address ? &*found : nullptr;
}

void LockCode::add_function_named(const GoRuntime& runtime, std::uint64_t address) {
  // Of a closure without variables the address of a word is taken that holds the function's.
  if (!runtime.frames().is_entry(address)) address = runtime.memory().load<std::uint64_t>(address).value_or(0);
  if (address && runtime.frames().is_entry(address) && address != function_.entry) functions_named_.push_back(address);
}

void LockCode::decode(const GoRuntime& runtime) {
  std::string code = runtime.module().code_of(function_);
  std::vector<std::size_t> locked;  // instructions that change memory so that no other processor comes between
  // A wrapper of one of sync's methods is as good as its caller.
  bool is_wrapper = function_.name.ends_with("-fm");
  bool may_have_events = is_wrapper || !of_sync_or_runtime(function_.name);
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  for (std::size_t at = 0; at < code.size(); at += instruction.length) {
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data() + at, code.size() - at, &instruction, operands))) break;
    CodeStep step = StepMaker(instruction, operands, function_.entry + at).make();
    if (may_have_events && is_locked_change(instruction)) {
      locked.push_back(steps_.size());
    } else if (may_have_events && step.target && (step.op == CodeOp::kCall || step.op == CodeOp::kJump)) {
      std::string callee = runtime.frames().is_entry(step.target) ? runtime.frames().function_at(step.target) : "";
      step.event = lock_event(callee);
      if (step.event) step.event->field = 0;
      if (step.op == CodeOp::kCall && never_returns(callee)) step.op = CodeOp::kEnd;
    } else if (step.op == CodeOp::kAddress && step.memory.base == kNoRegister && step.memory.index == kNoRegister) {
      add_function_named(runtime, static_cast<std::uint64_t>(step.memory.displacement));
    }
    bool jumps = step.op == CodeOp::kJump || step.op == CodeOp::kBranch;
    if (jumps && step.target) leaders_.push_back(step.target);
    steps_.push_back(step);
  }
  for (std::size_t index : locked) steps_[index].event = inlined_event(runtime, index);
  has_events_ = std::ranges::any_of(steps_, [](const CodeStep& step) { return step.event.has_value(); });
  unlocks_ = std::ranges::any_of(steps_, [](const CodeStep& step) { return step.event && step.event->unlocks; });
  std::ranges::sort(leaders_);
}

// The compiler gives some of these instructions the line of the call, as they check for nil, too. The branch by their result
// is always that of the function called.
std::optional<LockEvent> LockCode::inlined_event(const GoRuntime& runtime, std::size_t index) const {
  constexpr std::size_t kNear = 12;
  std::optional<LockEvent> event = event_by_line(runtime, steps_[index].address);
  for (std::size_t i = index + 1; !event && i < std::min(index + kNear, steps_.size()); ++i) {
    if (steps_[i].op == CodeOp::kBranch) return event_by_line(runtime, steps_[i].address);
    if (steps_[i].op != CodeOp::kOther && steps_[i].target) break;
  }
  return event;
}

bool LockCode::is_leader(std::uint64_t address) const { return std::ranges::binary_search(leaders_, address); }

void LockCode::pass(const CodeStep& step, Held& held) {
  if (!step.event) return;
  std::size_t use = static_cast<std::size_t>(step.event->use);
  std::uint64_t& locked = held.locked[use];
  if (step.event->unlocks && !locked) held.gave_back[use] = true;
  locked = step.event->unlocks ? 0 : locked && locked != step.address ? kSeveral : step.address;
}

// Whether that changed anything.
bool LockCode::merge(const Held& from, Held& into) {
  Held before = into;
  for (std::size_t i = 0; i < kLockUses; ++i) {
    std::uint64_t& there = into.locked[i];
    if (there != from.locked[i]) there = there && from.locked[i] ? kSeveral : 0;
    into.gave_back[i] = into.gave_back[i] || from.gave_back[i];
  }
  return !(before == into);
}

void LockCode::find_held() {
  std::deque<std::pair<std::uint64_t, Held>> open = {{function_.entry, Held{}}};
  auto arrive = [&](std::uint64_t address, const Held& held) {
    auto [known, is_new] = held_.try_emplace(address, held);
    if (is_new || merge(held, known->second)) open.emplace_back(address, known->second);
  };
  while (!open.empty()) {
    auto [address, held] = open.front();
    open.pop_front();
    for (const CodeStep* step = at(address); step; step = at(step->next)) {
      if (step->address != address && is_leader(step->address)) {
        arrive(step->address, held);
        break;
      }
      pass(*step, held);
      gives_back_ = gives_back_ || std::ranges::find(held.gave_back, true) != held.gave_back.end();
      if (step->op == CodeOp::kReturn) returns_locked_by_ = std::max(returns_locked_by_, *std::ranges::max_element(held.locked));
      if (step->op == CodeOp::kBranch && step->target) arrive(step->target, held);
      if (step->op == CodeOp::kJump && step->target) arrive(step->target, held);
      if (step->op == CodeOp::kJump || step->op == CodeOp::kReturn || step->op == CodeOp::kEnd) break;
    }
  }
}

LockCode::Held LockCode::held_at(std::uint64_t address) const {
  auto leader = std::ranges::upper_bound(leaders_, address);
  std::uint64_t from = leader == leaders_.begin() ? function_.entry : *std::prev(leader);
  Held held{};
  if (auto known = held_.find(from); known != held_.end()) held = known->second;
  for (const CodeStep* step = at(from); step && step->address < address; step = at(step->next)) {
    pass(*step, held);
    if (step->op == CodeOp::kJump || step->op == CodeOp::kReturn || step->op == CodeOp::kEnd) held = {};  // nothing known leads here
  }
  return held;
}

std::uint64_t LockCode::locked_at(std::uint64_t address, LockUse use) const { return held_at(address).locked[static_cast<std::size_t>(use)]; }

bool LockCode::gave_back_at(std::uint64_t address, LockUse use) const { return held_at(address).gave_back[static_cast<std::size_t>(use)]; }

const LockCode* LockCodes::around(std::uint64_t address) {
  std::optional<GoRecord> record = runtime_.module().table.record_at(address);
  if (!record) return nullptr;
  std::unique_ptr<LockCode>& code = codes_[record->entry];
  if (!code) code = std::make_unique<LockCode>(runtime_, *record);
  return code.get();
}

bool LockCodes::concerns_locks(std::uint64_t address) {
  std::optional<GoRecord> record = runtime_.module().table.record_at(address);
  if (!record || of_sync_or_runtime(record->name)) return false;
  auto [known, is_new] = concerns_.try_emplace(record->entry, false);
  if (!is_new) return known->second;
  const LockCode* code = around(address);
  bool concerns = code && (code->has_events() || names_unlocking(*code));
  return concerns_[record->entry] = concerns;
}

bool LockCodes::names_unlocking(const LockCode& code) {
  return std::ranges::any_of(code.functions_named(), [&](std::uint64_t entry) {
    const LockCode* named = around(entry);
    return named && named->unlocks();
  });
}

bool LockCodes::returns_locked(const LockCode& code) { return code.returns_locked_by() && !names_unlocking(code); }

}  // namespace dwell
