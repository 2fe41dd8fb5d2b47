// SPDX-License-Identifier: Apache-2.0
// GoCallSites: where the program's own code calls certain functions, read from its machine code. A timer or a context does
// not know who made it; where only one line of the program makes such, there is no need to.
//
// Not seen: calls through values (interfaces, closures), and calls made by the standard library.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct GoCallSite {
  std::string callee;          // "time.NewTicker"
  std::string function;        // the one around the call, as compiled: "main.trackConnection"
  GoCall place;                // the innermost call of the program's own: its function and line
  std::uint64_t returns = 0;   // the address behind the call
  std::optional<std::uint64_t> argument;  // the first one, if it is a constant in the code
  bool value_called_later = false;        // of net/http: behind it in the function something is called through an interface or a closure
};

class GoCallSites {
 public:
  // `package`: "main." reads only the functions whose names begin so; "": all of the program's own.
  static GoCallSites find(const GoRuntime& runtime, std::span<const std::string_view> callees, std::string_view package = "");

  std::span<const GoCallSite> all() const { return sites_; }
  std::vector<GoCallSite> of(std::span<const std::string_view> callees) const;
  // Whether this function, or a closure inside it, calls one of these.
  bool calls(std::string_view function, std::span<const std::string_view> callees) const;

 private:
  std::vector<GoCallSite> sites_;
  std::set<std::pair<std::string, std::string>, std::less<>> called_;  // function without closures, callee
};

// Pure. A direct call in these bytes, which lie at `address`.
struct DirectCall {
  std::uint64_t returns = 0, callee = 0;
  std::optional<std::uint64_t> argument;
};
std::vector<DirectCall> direct_calls(std::string_view code, std::uint64_t address,
                                     const absl::flat_hash_map<std::uint64_t, std::string_view>& callees);

// Pure. Whether this code has a call whose target is no constant.
bool calls_values(std::string_view code);

// Pure. "main.serve.func1.2" is a closure of "main.serve".
std::string_view without_closures(std::string_view function);

}  // namespace dwell
