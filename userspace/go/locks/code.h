// SPDX-License-Identifier: Apache-2.0
// LockCode: the machine code of one function, reduced to what says which locks of package sync it takes and gives back.
//
// The compiler puts the fast paths of Lock and Unlock into the functions that call them; Go's table of inlined calls tells
// whose a locked instruction is. The instructions' operands say where the lock is.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

enum class LockUse : std::uint8_t { kMutex, kWrite, kRead };  // of a sync.Mutex; of a sync.RWMutex, as a writer or a reader
inline constexpr std::size_t kLockUses = 3;

struct LockEvent {
  LockUse use = LockUse::kMutex;
  bool unlocks = false;
  std::uint8_t field = 0;  // how far in the lock what the operand points to stands
};

// "sync.(*RWMutex).RUnlock"; none if it is no such function, or part of one that a caller does not have inlined.
std::optional<LockEvent> lock_event(std::string_view function);

enum class CodeOp : std::uint8_t {
  kOther,  // changes registers and memory in ways that say nothing of locks
  kMove, kLoad, kStore, kAddress, kAdd, kZero, kPush, kPop, kCall, kJump, kBranch, kReturn,
  kEnd,  // nothing comes behind it: a panic
};
inline constexpr std::uint8_t kNoRegister = 16, kStackPointer = 4, kClosureRegister = 2, kResultRegister = 0;

struct CodeMemory {
  std::uint8_t base = kNoRegister, index = kNoRegister, scale = 0;
  std::int64_t displacement = 0;  // the address itself if there is neither
};

struct CodeStep {
  std::uint64_t address = 0, next = 0;
  CodeOp op = CodeOp::kOther;
  std::uint8_t to = kNoRegister, from = kNoRegister;
  std::uint16_t writes = 0;       // a bit per register
  std::uint16_t stored_bytes = 0;
  CodeMemory memory;
  std::int64_t number = 0;
  std::uint64_t target = 0;       // of a call or a jump; 0: not in the code
  std::optional<LockEvent> event;  // of its memory operand, or, of a call, of the first argument
};

class LockCode {
 public:
  LockCode(const GoRuntime& runtime, const GoRecord& function);

  const GoRecord& function() const { return function_; }
  const CodeStep* at(std::uint64_t address) const;
  bool has_events() const { return has_events_; }
  bool unlocks() const { return unlocks_; }
  // Functions whose address it takes: closures, mostly.
  const std::vector<std::uint64_t>& functions_named() const { return functions_named_; }

  // The lock event that every way from the function's beginning to this address has passed, without an Unlock of its kind
  // behind it: its address. 0: none. kSeveral: of several, one.
  std::uint64_t locked_at(std::uint64_t address, LockUse use) const;
  // Whether on some way to this address it has unlocked what its caller had locked.
  bool gave_back_at(std::uint64_t address, LockUse use) const;
  bool gives_back() const { return gives_back_; }
  // Where it takes a lock that it can return with, deferred calls left out of account; 0: nowhere.
  std::uint64_t returns_locked_by() const { return returns_locked_by_; }

  static constexpr std::uint64_t kSeveral = 1;

 private:
  struct Held {
    std::array<std::uint64_t, kLockUses> locked{};  // by what
    std::array<bool, kLockUses> gave_back{};        // on some way
    bool operator==(const Held&) const = default;
  };
  Held held_at(std::uint64_t address) const;
  static bool merge(const Held& from, Held& into);
  void decode(const GoRuntime& runtime);
  std::optional<LockEvent> inlined_event(const GoRuntime& runtime, std::size_t index) const;
  void add_function_named(const GoRuntime& runtime, std::uint64_t address);
  void find_held();
  bool is_leader(std::uint64_t address) const;
  static void pass(const CodeStep& step, Held& held);

  GoRecord function_;
  std::vector<CodeStep> steps_;
  std::vector<std::uint64_t> leaders_;  // where jumps lead, sorted
  std::vector<std::uint64_t> functions_named_;
  absl::flat_hash_map<std::uint64_t, Held> held_;  // at each leader
  bool has_events_ = false, unlocks_ = false, gives_back_ = false;
  std::uint64_t returns_locked_by_ = 0;
};

// All that were asked for, once.
class LockCodes {
 public:
  explicit LockCodes(const GoRuntime& runtime) : runtime_(runtime) {}
  const GoRuntime& runtime() const { return runtime_; }
  // Of the function around an address; null if there is none. Functions of sync and of the runtime have no events.
  const LockCode* around(std::uint64_t address);
  // Whether it takes or gives back locks, or names a function that unlocks.
  bool concerns_locks(std::uint64_t address);
  // Whether it can return with a lock that it took, for its caller to unlock.
  bool returns_locked(const LockCode& code);

 private:
  bool names_unlocking(const LockCode& code);

  const GoRuntime& runtime_;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<LockCode>> codes_;  // by entry
  absl::flat_hash_map<std::uint64_t, bool> concerns_;                    // by entry
};

}  // namespace dwell
