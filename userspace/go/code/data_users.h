// SPDX-License-Identifier: Apache-2.0
// Which lines of the program use a global variable: its name, where the program is stripped.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct DataUser {
  GoCall place;
  bool fills = false;  // on this line something is put into a map, or appended to a slice
};

// Those that fill something first. At most `most` of them.
std::vector<DataUser> users_of_variable(const GoRuntime& runtime, std::uint64_t address,
                                        std::size_t most = 3);

// The same of several at once, by address.
using DataUsers = std::map<std::uint64_t, std::vector<DataUser>>;
DataUsers users_of_variables(const GoRuntime& runtime, std::span<const std::uint64_t> addresses,
                             std::size_t most);

// "cache", by the program's symbols; "" if it has none.
std::string variable_name(const GoRuntime& runtime, std::uint64_t address);

// "the global variable cache, filled at main.go:20 (main.loadProfile)"; of one without a name its address.
std::string variable_text(const GoRuntime& runtime, std::uint64_t address);

// Pure. Where in this code, which lies at `at`, an address stands relative to the instruction pointer.
std::vector<std::size_t> uses_of_address(std::string_view code, std::uint64_t at, std::uint64_t address);
// The same of several addresses, in order: which of them, and where.
std::vector<std::pair<std::uint64_t, std::size_t>> uses_of_addresses(std::string_view code, std::uint64_t at,
                                                                     std::span<const std::uint64_t> sorted);

}  // namespace dwell
