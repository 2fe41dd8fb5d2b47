// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/locks/paths.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <array>

namespace dwell {
namespace {

constexpr std::size_t kMostStepsAhead = 20'000;
constexpr std::size_t kMostOverwritten = 512;  // words, on one way
constexpr std::size_t kRegisters = 16;

using Word = std::optional<std::uint64_t>;

struct LockSeen {
  std::uint64_t lock;
  LockUse use;
  auto operator<=>(const LockSeen&) const = default;
};

// One way through the code, up to some address.
struct Way {
  std::uint64_t address = 0;
  std::array<Word, kRegisters> registers{};
  absl::flat_hash_map<std::uint64_t, Word> overwritten;  // words of memory
  std::vector<LockSeen> unlocked, locked;                // in the order of the code
};

class Explorer {
 public:
  Explorer(LockCodes& codes, const LockCode& code, const WordReader& read) : codes_(codes), code_(code), read_(read) {}

  LocksAhead explore(Way way) {
    open_.push_back(std::move(way));
    while (!open_.empty()) {
      Way next = std::move(open_.back());
      open_.pop_back();
      follow(std::move(next));
    }
    for (LockAhead& lock : found_.unlocked) lock.on_all_ways = is_on_all_ways({lock.lock, lock.use});
    return std::move(found_);
  }

 private:
  bool is_on_all_ways(const LockSeen& lock) const {
    auto has = [&](const std::vector<LockSeen>& unlocked) { return std::ranges::find(unlocked, lock) != unlocked.end(); };
    return !cut_ && !has(not_always_) && std::ranges::all_of(ends_, has);
  }

  void follow(Way way) {
    for (const CodeStep* step = code_.at(way.address); step; step = code_.at(way.address)) {
      if (++steps_ > kMostStepsAhead || way.overwritten.size() > kMostOverwritten) break;
      if (!arrive(way)) return;
      if (step->event && !note(*step, way)) return;
      way.address = step->next;
      switch (step->op) {
        case CodeOp::kEnd: return;
        case CodeOp::kReturn: return end(way);
        case CodeOp::kJump:
          if (step->event || !step->target) return step->event ? end(way) : cut();
          way.address = step->target;
          break;
        case CodeOp::kBranch: {
          Way other = way;
          other.address = step->target;
          open_.push_back(std::move(other));
          break;
        }
        case CodeOp::kCall:
          // What it calls may take the lock, for this function to give back.
          if (const LockCode* callee = step->target && !step->event ? codes_.around(step->target) : nullptr; callee && codes_.returns_locked(*callee)) return cut();
          call(way);
          break;
        default: change(*step, way);
      }
    }
    cut();
  }

  // False: this was followed before. What an earlier way had unlocked by then, and this one has not, is not unlocked always.
  bool arrive(const Way& way) {
    auto [known, is_new] = unlocked_at_.try_emplace(way.address, way.unlocked);
    if (is_new) return true;
    for (const LockSeen& seen : known->second)
      if (std::ranges::find(way.unlocked, seen) == way.unlocked.end()) not_always_.push_back(seen);
    return false;
  }

  void end(const Way& way) { ends_.push_back(way.unlocked); }
  void cut() { cut_ = true; }

  // False: this way says no more.
  bool note(const CodeStep& step, Way& way) {
    bool is_call = step.op == CodeOp::kCall || step.op == CodeOp::kJump;
    Word at = is_call ? way.registers[kResultRegister] : address_of(step, way);
    if (!at) {
      // Some lock, perhaps the one in question.
      if (!step.event->unlocks) cut();
      return step.event->unlocks;
    }
    LockSeen seen{*at - step.event->field, step.event->use};
    bool was_locked = std::ranges::find(way.locked, seen) != way.locked.end();
    bool was_unlocked = std::ranges::find(way.unlocked, seen) != way.unlocked.end();
    if (was_locked || was_unlocked) return true;
    (step.event->unlocks ? way.unlocked : way.locked).push_back(seen);
    std::vector<LockAhead>& all = step.event->unlocks ? found_.unlocked : found_.locked;
    auto same = [&](const LockAhead& lock) { return lock.lock == seen.lock && lock.use == seen.use; };
    if (std::ranges::none_of(all, same)) all.push_back({seen.lock, seen.use, step.address, false});
    return true;
  }

  static Word address_of(const CodeStep& step, const Way& way) {
    const CodeMemory& memory = step.memory;
    std::uint64_t address = static_cast<std::uint64_t>(memory.displacement);
    if (memory.base != kNoRegister) {
      if (!way.registers[memory.base]) return std::nullopt;
      address += *way.registers[memory.base];
    }
    if (memory.index != kNoRegister) {
      if (!way.registers[memory.index]) return std::nullopt;
      address += *way.registers[memory.index] * memory.scale;
    }
    return address;
  }

  Word load(std::uint64_t address, const Way& way) const {
    auto found = way.overwritten.find(address);
    return found != way.overwritten.end() ? found->second : read_(address);
  }

  static void overwrite(Word address, std::uint64_t bytes, Word value, Way& way) {
    if (!address) return;
    constexpr std::uint64_t kWord = 8;
    if (bytes == kWord && *address % kWord == 0) {
      way.overwritten[*address] = value;
      return;
    }
    for (std::uint64_t at = *address & ~(kWord - 1); at < *address + bytes; at += kWord) way.overwritten[at] = std::nullopt;
  }

  static void call(Way& way) {
    Word stack = way.registers[kStackPointer];
    way.registers.fill(std::nullopt);
    way.registers[kStackPointer] = stack;
  }

  void change(const CodeStep& step, Way& way) {
    constexpr std::uint64_t kWord = 8;
    Word& stack = way.registers[kStackPointer];
    Word from = step.from != kNoRegister ? way.registers[step.from] : std::nullopt;
    Word address = address_of(step, way);
    switch (step.op) {
      case CodeOp::kMove: way.registers[step.to] = from; break;
      case CodeOp::kAddress: way.registers[step.to] = address; break;
      case CodeOp::kLoad: way.registers[step.to] = address ? load(*address, way) : std::nullopt; break;
      case CodeOp::kStore: overwrite(address, kWord, from, way); break;
      case CodeOp::kAdd:
        if (way.registers[step.to]) *way.registers[step.to] += static_cast<std::uint64_t>(step.number);
        break;
      case CodeOp::kPush:
        if (stack) *stack -= kWord;
        overwrite(stack, kWord, from, way);
        break;
      case CodeOp::kPop:
        way.registers[step.to] = stack ? load(*stack, way) : std::nullopt;
        if (stack) *stack += kWord;
        break;
      default:
        for (std::size_t i = 0; i < kRegisters; ++i)
          if (step.writes >> i & 1) way.registers[i] = std::nullopt;
        if (step.stored_bytes) overwrite(address, step.stored_bytes, std::nullopt, way);
    }
  }

  LockCodes& codes_;
  const LockCode& code_;
  const WordReader& read_;
  std::vector<Way> open_;
  absl::flat_hash_map<std::uint64_t, std::vector<LockSeen>> unlocked_at_;
  std::vector<LockSeen> not_always_;
  std::vector<std::vector<LockSeen>> ends_;  // what was unlocked where the function returned
  LocksAhead found_;
  std::size_t steps_ = 0;
  bool cut_ = false;  // some way was not followed to its end
};

}  // namespace

LocksAhead locks_ahead_of_frame(LockCodes& codes, std::uint64_t pc, std::uint64_t stack_pointer, const WordReader& read) {
  const LockCode* code = codes.around(pc - 1);
  if (!code || !code->has_events()) return {};
  Way way;
  way.address = pc;
  way.registers[kStackPointer] = stack_pointer;
  return Explorer(codes, *code, read).explore(std::move(way));
}

LocksAhead locks_ahead_of_closure(LockCodes& codes, std::uint64_t closure, const WordReader& read) {
  std::optional<std::uint64_t> entry = read(closure);
  const LockCode* code = entry && *entry ? codes.around(*entry) : nullptr;
  if (!code || code->function().entry != *entry || !code->unlocks()) return {};
  Way way;
  way.address = *entry;
  way.registers[kClosureRegister] = closure;
  constexpr std::uint64_t kNoStack = 0x7fff'0000'0000'0000;  // nobody's: only what the function puts there is read
  way.registers[kStackPointer] = kNoStack;
  return Explorer(codes, *code, read).explore(std::move(way));
}

}  // namespace dwell
