// SPDX-License-Identifier: Apache-2.0
// GoFrames: from code addresses to calls, as Go itself tells them: inlined calls taken apart, wrappers and
// the runtime's inner functions marked, so that a reader can leave them out.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/go/runtime/module.h"

namespace dwell {

struct GoCall {
  std::string function, file;
  std::uint32_t line = 0;
  bool inlined = false;  // into the next call
  bool hidden = false;   // Go's own tracebacks leave it out
};

// What a walk needs to know of a code address.
struct GoStep {
  std::uint32_t depth = 0;   // from the stack pointer to the return address
  bool known = false;        // the address is in a function, whose table knows it
  bool is_root = false;      // a stack ends here
  bool is_injected = false;  // what is below was interrupted: its address is no return address
  std::uint64_t entry = 0;   // of the function
  std::uint64_t callee = 0;  // what the call before this address calls; 0: not certain
};

class GoFrames {
 public:
  GoFrames(const GoModule& module, const ProcessMemory& memory, int minor);

  // Cached: the walk asks for the same few hundred addresses over and over.
  const GoStep& step(std::uint64_t pc);

  // Innermost first, at least one. `pcs` leaf first; all but the first are return addresses, unless what was
  // called there was injected.
  std::vector<GoCall> calls(const std::vector<std::uint64_t>& pcs);
  // Of one address alone: a return address stands behind its call.
  std::vector<GoCall> calls_at(std::uint64_t pc, bool return_address) const;
  // Profiles may list an inlined call and, behind it, those that it was inlined into: only the first of them is a
  // return address, and leads to the others.
  std::vector<std::uint64_t> return_addresses(std::span<const std::uint64_t> pcs) const;
  // The call that stands before this return address; for "created by".
  GoCall call_before(std::uint64_t pc) const;
  // "" if the address is in no function.
  std::string function_at(std::uint64_t pc) const;
  bool is_entry(std::uint64_t pc) const;
  const GoTable& table() const { return module_.table; }

 private:
  GoStep make_step(std::uint64_t pc) const;
  // `outer`, if given, takes what profiles list for the calls that this one was inlined into.
  void add_calls(std::uint64_t pc, std::vector<GoCall>& calls, bool& calls_panic,
                 std::vector<std::uint64_t>* outer = nullptr) const;

  const GoModule& module_;
  const ProcessMemory& memory_;
  std::uint8_t wrapper_id_;
  std::uint64_t read_only_ = 0;  // what offsets of function data count from
  absl::flat_hash_map<std::uint64_t, GoStep> steps_;
};

// Pure: by the first part of the package's path. A module need not be named after a host: "shop/cart" is a program's own.
bool of_standard_library(std::string_view function);

// Pure. The call that a reader asks for: the innermost of the program's own, else the innermost that is shown. Null if there
// is none at all.
const GoCall* own_call(std::span<const GoCall> calls);

// Pure: whether Go's tracebacks show a function of this name.
bool go_shows(std::string_view function);

}  // namespace dwell
