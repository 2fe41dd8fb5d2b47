// SPDX-License-Identifier: Apache-2.0
// The contexts (package context) that exist in a Go program and are not cancelled.
//
// They are found without a probe: by the compiler's tables that stand beside each pointer to a context
// where it is held as an interface.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/heap/heap.h"
#include "userspace/go/runtime/runtime.h"
#include "userspace/go/timers/timers.h"

namespace dwell {

enum class GoContextKind : std::uint8_t {
  kOther,     // a type that dwell does not know, or one that can't be cancelled
  kCancel,    // WithCancel, WithCancelCause
  kDeadline,  // WithTimeout, WithDeadline
  kAfter,     // AfterFunc
};

struct GoContext {
  std::uint64_t address = 0;
  GoContextKind kind = GoContextKind::kOther;
  std::string parents;            // "deadline < cancel < background"; values are left out
  bool has_parent = false;        // that can be cancelled, and keeps a list of what to cancel with it
  std::uint64_t deadline_ns = 0;  // CLOCK_MONOTONIC; 0: none
  std::uint64_t children = 0;     // that will be cancelled with it
  std::uint64_t waiter = 0;       // a goroutine that waits for its end; 0: none does
  bool lost = false;              // nothing can cancel it but its parent or its deadline
};

class ContextTypes {
 public:
  // None where this version's layout is not known, or the program has no contexts.
  static std::optional<ContextTypes> find(const GoRuntime& runtime);

  struct Itab {
    GoContextKind kind = GoContextKind::kOther;
    bool listed = false;  // the interface that a parent lists its children by
    std::string name;     // "cancel", "background", "value", or the type's own
    bool known = false;   // a type of package context
    // Whether it begins with a parent whose end ends it.
    bool has_parent() const { return known && name != "background" && name != "without cancel"; }
  };
  // What this word says of the pointer that follows it; null if nothing.
  const Itab* itab(std::uint64_t word) const {
    if (word < lowest_ || word > highest_) return nullptr;
    auto found = itabs_.find(word);
    return found == itabs_.end() ? nullptr : &found->second;
  }

  const absl::flat_hash_map<std::uint64_t, Itab>& all() const { return itabs_; }

  // The context whose deadline this timer is; 0 if none is.
  std::uint64_t context_of(const GoTimer& timer, const GoHeap& heap) const;
  // None if it is cancelled, or its memory is not what it should be.
  std::optional<GoContext> read(std::uint64_t address, GoContextKind kind, const GoHeap& heap) const;
  // The channel that is closed when it ends; 0 if nobody has asked for it.
  static std::uint64_t done_channel(std::string_view context);

 private:
  std::uint64_t timer_field_ = 0, timer_in_timer_ = 0;  // of a timerCtx, of a time.Timer
  std::uint64_t lowest_ = ~std::uint64_t{0}, highest_ = 0;
  absl::flat_hash_map<std::uint64_t, Itab> itabs_;
};

}  // namespace dwell
