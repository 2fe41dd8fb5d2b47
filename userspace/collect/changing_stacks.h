// SPDX-License-Identifier: Apache-2.0
// ChangingStacks: stacks through code that comes and goes, and what their identity means at a moment.
//
// The kernel's side knows addresses only. Plugins that come to lie in the same place one after the other give the same
// identity to stacks through different code, until userspace has looked at the mappings again. So the addresses of such
// stacks are kept, and each event is resolved by the map of its own moment.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <vector>

#include "userspace/collect/address_space.h"
#include "userspace/collect/stack_table.h"
#include "userspace/recording/ids.h"
#include "userspace/recording/writer.h"

namespace dwell {

struct WalkedStack {
  std::vector<std::uint64_t> pcs;  // leaf first
  std::vector<bool> exact;         // which of them are no return addresses
  std::uint8_t end = 0;
  std::uint64_t time_ns = 0;

  std::uint64_t within(std::size_t frame) const { return exact[frame] ? pcs[frame] : pcs[frame] - 1; }
};

class ChangingStacks {
 public:
  explicit ChangingStacks(RecordingWriter& writer) : writer_(writer) {}

  // False: no code that this stack runs through has changed so far, or there is no room: it is not kept.
  bool keep(std::uint64_t identity, TargetSlot slot, const WalkedStack& stack, const AddressSpace& space);
  bool is_full() const { return kept_.size() >= kMostKept; }
  bool empty() const { return kept_.empty(); }
  // Whose stack it is, none if it is not kept.
  const TargetSlot* owner(std::uint64_t identity) const;
  // What the identity means then: itself, or one that is learned by `stacks` now at the latest.
  std::uint64_t meaning_at(std::uint64_t identity, std::uint64_t time_ns, const AddressSpace& space, StackTable& stacks);

  // By the map of that moment. Cut, and so marked, behind a frame that was walked by the tables of other code.
  static std::vector<std::uint32_t> locate(WalkedStack& stack, const AddressSpace& space, RecordingWriter& writer);

 private:
  struct Kept {
    TargetSlot slot;
    WalkedStack stack;
    std::uint64_t learned_from_ns;  // when the youngest code in it had come
    std::uint64_t meaning;          // from span.from_ns to span.to_ns
    AddressSpace::Span span;
    std::uint64_t changes;  // of the address space, when that was found out
  };
  static constexpr std::size_t kMostKept = std::size_t{1} << 16;
  static AddressSpace::Span span_of(const WalkedStack& stack, std::uint64_t time_ns, const AddressSpace& space);

  RecordingWriter& writer_;
  absl::flat_hash_map<std::uint64_t, Kept> kept_;
};

}  // namespace dwell
