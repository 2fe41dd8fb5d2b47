// SPDX-License-Identifier: Apache-2.0
// Goroutines as Go's own traceback ("debug=2") tells them, and as a look from outside does, in one form.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell::testing {

struct Account {
  std::string state;
  std::vector<std::string> frames;  // "function file:line", innermost first, the creator last
  std::size_t elided_after = 0;     // so many frames, some are left out; 0: none
};
using Accounts = std::map<std::uint64_t, Account>;  // by number of the goroutine

Accounts parse_traceback(const std::string& text);
// Without the runtime's own goroutines and frames, as the traceback is.
Accounts look(const GoRuntime& runtime);

// Whether both tell the same frames, as far as the traceback goes.
bool same_stack(const Account& traceback, const Account& look);
std::string text_of(const Account& account);

}  // namespace dwell::testing
