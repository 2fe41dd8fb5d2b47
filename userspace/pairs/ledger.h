// SPDX-License-Identifier: Apache-2.0
// HoldLedger: which resources are held, since when, and who took them. Pure: no file, no clock.
//
// A resource may be taken several times. Which of these takings is given back is then not to be known: it is the last one of the
// thread that gives it back, and where that thread has none, the oldest. The number of those held, and who holds a resource when
// none was given back, are right in any case.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "userspace/pairs/tick.h"

namespace dwell::pairs {

struct Resource {
  ProcessSlot process;
  std::uint16_t pair;
  std::uint64_t value;
  bool operator==(const Resource&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Resource& one) {
    return H::combine(std::move(h), one.process, one.pair, one.value);
  }
};

class HoldLedger {
 public:
  explicit HoldLedger(std::uint64_t start_ns) : tick_start_ns_(start_ns) {}

  // The first tick begins; what was seen before is in it, for it is given back later.
  void begin(std::uint64_t start_ns) { tick_start_ns_ = start_ns; }
  void taken(const Hold& hold);
  void given(std::uint64_t time_ns, const Resource& resource, Tid tid);
  // The child has what its parent has.
  void fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child);
  // Whatever it held is gone with it.
  void process_ended(std::uint64_t time_ns, ProcessSlot process);

  HoldTick take_tick(std::uint64_t now_ns);
  std::vector<Hold> holds() const;
  std::uint64_t held_count() const { return held_; }

 private:
  struct Taking {
    StackId stack;
    Tid tid;
    std::uint64_t taken_ns, size;
  };
  using Takings = absl::InlinedVector<Taking, 1>;  // the oldest first
  void end(std::uint64_t time_ns, const Resource& resource, const Taking& taking);
  PairChange& pair_change(const Resource& resource);
  HoldChange& site_change(const HoldSite& site);

  std::uint64_t tick_start_ns_;
  absl::flat_hash_map<Resource, Takings> taken_;
  std::map<HoldSite, HoldChange> changes_;
  std::map<HoldSite, std::uint64_t> held_by_site_;
  using PairKey = std::pair<ProcessSlot, std::uint16_t>;
  std::map<PairKey, PairChange> pairs_;
  std::map<PairKey, std::uint64_t> held_by_pair_;
  std::uint64_t held_ = 0;
};

}  // namespace dwell::pairs
