// SPDX-License-Identifier: Apache-2.0
#include "userspace/recording/lifetimes.h"

#include <algorithm>
#include <bit>

#include "userspace/recording/bytes.h"

namespace dwell {

std::uint8_t lifetime_class(std::uint64_t began_ns, std::uint64_t ended_ns) {
  return static_cast<std::uint8_t>(std::bit_width(ended_ns - std::min(ended_ns, began_ns)));
}

std::uint64_t lifetime_bound(std::uint8_t bits) { return bits >= kMostLifetimeBits ? ~0ull : std::uint64_t{1} << bits; }

void put_lifetimes(std::string& out, const Lifetimes& lifetimes) {
  put_uleb(out, lifetimes.size());
  for (const auto& [bits, count] : lifetimes) {
    put_uleb(out, bits);
    put_uleb(out, count);
  }
}

std::string get_lifetimes(Cursor& in, Lifetimes& lifetimes) {
  for (std::uint64_t left = in.uleb(); left > 0 && in.ok(); --left) {
    std::uint64_t bits = in.uleb(), count = in.uleb();
    if (in.ok() && bits > kMostLifetimeBits) return "it tells an impossible lifetime";
    lifetimes[static_cast<std::uint8_t>(bits)] = count;
  }
  return in.ok() ? "" : kTooShort;
}

}  // namespace dwell
