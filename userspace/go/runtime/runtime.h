// SPDX-License-Identifier: Apache-2.0
// GoRuntime: a running Go program, recognized: its version, the layout of its structures, where its variables
// stand.
//
// Nothing is believed because it was found: the layout is held against the goroutines that are there. What
// does not fit is refused with a reason, never printed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/runtime/code_references.h"
#include "userspace/go/runtime/frames.h"
#include "userspace/go/runtime/module.h"
#include "userspace/go/runtime/layout.h"
#include "userspace/process/process_memory.h"

namespace dwell {

struct GoSlice {
  std::uint64_t address = 0, length = 0, capacity = 0;
};

class GoRuntime {
 public:
  static Result<GoRuntime> attach(pid_t pid);
  static Result<GoRuntime> attach(std::unique_ptr<ProcessMemory> memory);

  const ProcessMemory& memory() const { return *memory_; }
  const GoModule& module() const { return *module_; }
  const GoLayout& layout() const { return *layout_; }
  GoFrames& frames() const { return *frames_; }
  // Why the layout is not the one of the version that the program states; "" if it is.
  const std::string& note() const { return note_; }

  // The list of all goroutines: pointers to them, at most kMaxGoroutines.
  std::optional<GoSlice> goroutines() const;
  // The runtime's words for why a goroutine waits; "" if it has none.
  const std::string& wait_reason(std::uint8_t number) const;

  // References in the code of the function of this name; empty if there is none.
  std::vector<CodeReference> references(std::string_view function) const;
  std::optional<GoRecord> function(std::string_view name) const;

  static constexpr std::uint64_t kMaxGoroutines = 50'000'000;

 private:
  GoRuntime() = default;
  void find_functions();
  Result<void> find_goroutines();
  void find_wait_reasons();
  // "" if the goroutines that are there look as this layout says, else what does not fit.
  std::string misfit(const GoLayout& layout) const;

  std::unique_ptr<ProcessMemory> memory_;
  std::unique_ptr<GoModule> module_;
  std::unique_ptr<GoFrames> frames_;
  const GoLayout* layout_ = nullptr;
  std::string note_;
  std::map<std::string, GoRecord, std::less<>> functions_;
  std::uint64_t all_goroutines_ = 0;
  std::vector<std::string> wait_reasons_;
};

}  // namespace dwell
