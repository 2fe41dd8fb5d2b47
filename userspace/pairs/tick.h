// SPDX-License-Identifier: Apache-2.0
// What became of the resources of each pair and call site within a tick, and which are held: as a recording holds them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/ids.h"
#include "userspace/recording/lifetimes.h"

namespace dwell::pairs {

// A pair as it was asked for, and what was found of it.
struct PairInfo {
  std::string name;
  std::string given;  // what stood behind the name: "pool_get:pool_put"
  bool sized = false;
  std::vector<std::string> takes, gives;  // functions that are probed: "pool_get in /usr/lib/libpool.so.1"
  bool operator==(const PairInfo&) const = default;
};

struct HoldSite {
  ProcessSlot process = 0;
  std::uint16_t pair = 0;
  StackId stack = StackId::kUnknown;  // the function that took it, and who called that
  auto operator<=>(const HoldSite&) const = default;
};

struct HoldChange {
  HoldSite site;
  std::uint64_t taken = 0, given = 0;
  std::uint64_t taken_size = 0, given_size = 0;
  std::uint64_t peak = 0;  // the most that were held at a time
  Lifetimes lifetimes;     // of those given back
  std::uint64_t lived_ns = 0;  // in sum
  bool operator==(const HoldChange&) const = default;
};

// Of a pair in a process, all call sites together.
struct PairChange {
  ProcessSlot process = 0;
  std::uint16_t pair = 0;
  std::uint64_t unknown = 0;  // given back, and nobody saw them taken
  std::uint64_t peak = 0, peak_ns = 0;
  bool operator==(const PairChange&) const = default;
};

struct HoldTick {
  std::uint64_t start_ns = 0, end_ns = 0;
  std::vector<HoldChange> changes;
  std::vector<PairChange> pairs;
  bool operator==(const HoldTick&) const = default;
};

// One taking that has not been given back. A resource that was taken several times has several.
struct Hold {
  HoldSite site;
  std::uint64_t value = 0;  // of the resource
  std::uint64_t taken_ns = 0, size = 0;
  Tid tid = 0;              // who took it
  bool operator==(const Hold&) const = default;
};

struct Held {
  std::uint64_t time_ns = 0;
  std::vector<Hold> holds;  // by process, pair, value and time
  bool operator==(const Held&) const = default;
};

}  // namespace dwell::pairs
