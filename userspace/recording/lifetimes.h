// SPDX-License-Identifier: Apache-2.0
// Lifetimes: how long things lived that are over, in classes of powers of two; and how that lies in a recording.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "userspace/base/cursor.h"

namespace dwell {

// How many, by the number of bits of their lifetimes' nanoseconds: 20 are those from 0.5 to 1 ms.
using Lifetimes = std::map<std::uint8_t, std::uint64_t>;
inline constexpr std::uint8_t kMostLifetimeBits = 64;

// The class of what began at one time and ended at another; 0 where the clock says that it ended first.
std::uint8_t lifetime_class(std::uint64_t began_ns, std::uint64_t ended_ns);
// All lifetimes of a class are shorter.
std::uint64_t lifetime_bound(std::uint8_t bits);

void put_lifetimes(std::string& out, const Lifetimes& lifetimes);
// "", or what is wrong.
std::string get_lifetimes(Cursor& in, Lifetimes& lifetimes);

}  // namespace dwell
