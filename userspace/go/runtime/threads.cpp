// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/threads.h"

#include <algorithm>

#include "userspace/recording/codec.h"

namespace dwell {
namespace {

constexpr int kMaxSwitches = 8;  // between stacks, or between Go and others
constexpr std::uint64_t kGoroutineBelowThreadPointer = 8;

}  // namespace

struct GoThreads::Walk {
  std::uint64_t pc, sp, bp;
  bool exact;
  std::uint64_t thread_pointer;
  const MemoryReader& read;
  RemoteStack stack{{}, DWELL_STACK_NO_RULE};
  bool over = false;

  void end(dwell_stack_end how) {
    stack.end = how;
    over = true;
  }
  std::optional<std::uint64_t> word(std::uint64_t address) const {
    std::uint64_t value;
    return read(address, &value, sizeof value) ? std::optional(value) : std::nullopt;
  }
};

GoThreads::GoThreads(const ProcessMemory& memory, GoModule module, int minor)
    : memory_(memory),
      module_(std::move(module)),
      layout_(go_layout(minor)),
      frames_(module_, memory_, minor) {}

std::unique_ptr<RuntimeStacks> GoThreads::find(const ProcessMemory& memory, std::span<const Mapping> mappings) {
  Result<GoModule> module = find_go_module(mappings, memory);
  if (!module) return nullptr;
  std::optional<int> minor = go_minor_of(module->version);
  if (!minor || !go_layout(*minor)) return nullptr;
  return std::unique_ptr<RuntimeStacks>(new GoThreads(memory, std::move(*module), *minor));
}

GoThreads::Role GoThreads::role_of(std::uint64_t pc) {
  auto [known, fresh] = roles_.try_emplace(pc, Role::kOrdinary);
  if (!fresh) return known->second;
  std::string function = frames_.function_at(pc);
  if (std::size_t suffix = function.rfind(".abi0"); suffix != std::string::npos) function.resize(suffix);
  if (frames_.step(pc).is_root || function == "runtime.mcall")
    known->second = Role::kRoot;  // the scheduler's own stack has nothing below that call
  else if (function == "runtime.systemstack" || function == "runtime.asmcgocall")
    known->second = Role::kSwitchesStack;
  return known->second;
}

RemoteStack GoThreads::unwind(const ThreadRegisters& registers, std::uint64_t thread_pointer,
                              const RemoteUnwinder& unwinder, const MemoryReader& read) {
  Walk walk{registers.pc, registers.sp, registers.bp, registers.exact, thread_pointer, read};
  for (int i = 0; i < kMaxSwitches && !walk.over; ++i) {
    if (frames_.step(walk.pc).known)
      walk_go(walk);
    else
      walk_others(walk, unwinder);
  }
  return std::move(walk.stack);
}

// Until it comes to a root, or to code that isn't Go's.
void GoThreads::walk_go(Walk& walk) {
  std::uint64_t called = 0;
  for (;;) {
    const GoStep step = frames_.step(walk.pc);
    if (!step.known) return;
    if (walk.stack.frames.size() >= kMaxStackDepth) return walk.end(DWELL_STACK_TOO_DEEP);
    // A call whose target stands in the code must be the call of the frame above.
    if (called && !walk.exact && step.callee && step.callee != called)
      return walk.end(DWELL_STACK_NOT_GROWING);
    walk.stack.frames.push_back({walk.pc, walk.exact, walk.sp, walk.bp});
    Role role = role_of(walk.pc);
    if (role == Role::kRoot) return walk.end(DWELL_STACK_COMPLETE);
    if (role == Role::kSwitchesStack && go_on_below(walk)) {
      called = 0;
      continue;
    }
    std::optional<std::uint64_t> caller = walk.word(walk.sp + step.depth);
    if (!caller) return walk.end(DWELL_STACK_READ_FAILED);
    if (step.depth >= 8) walk.bp = walk.word(walk.sp + step.depth - 8).value_or(walk.bp);
    walk.sp += step.depth + 8;
    walk.pc = *caller;
    walk.exact = step.is_injected;
    called = step.entry;
  }
}

// From the scheduler's stack to that of the goroutine which called there. It says so itself: what it has
// saved is the place that all such switches save.
bool GoThreads::go_on_below(Walk& walk) {
  auto load = [&](std::uint64_t address) { return memory_.load<std::uint64_t>(address).value_or(0); };
  std::uint64_t current = load(walk.thread_pointer - kGoroutineBelowThreadPointer);
  std::uint64_t thread = current ? load(current + kGoThread) : 0;
  std::uint64_t goroutine = thread ? load(thread + layout_->m_current) : 0;
  if (!goroutine || load(goroutine + kGoThread) != thread) return false;
  std::uint64_t sp = load(goroutine + kGoSavedSp);
  if (frames_.function_at(load(goroutine + kGoSavedPc)) != "runtime.systemstack_switch") return false;
  std::optional<std::uint64_t> caller = walk.word(sp);
  if (!caller || !frames_.step(*caller).known) return false;
  walk.pc = *caller;
  walk.sp = sp + 8;
  walk.bp = 0;
  walk.exact = false;
  return true;
}

// Until it comes to Go, or to the end of what can be walked.
void GoThreads::walk_others(Walk& walk, const RemoteUnwinder& unwinder) {
  RemoteStack others = unwinder.unwind({walk.pc, walk.sp, walk.bp, walk.exact}, walk.read);
  for (std::size_t i = 0; i < others.frames.size(); ++i) {
    const RemoteFrame& frame = others.frames[i];
    if (i > 0 && frames_.step(frame.pc).known) {
      walk.pc = frame.pc;
      walk.sp = frame.sp;
      walk.bp = frame.bp;
      walk.exact = frame.exact;
      return;
    }
    walk.stack.frames.push_back(frame);
  }
  walk.end(others.end);
}

}  // namespace dwell
