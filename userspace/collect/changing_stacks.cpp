// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/changing_stacks.h"

#include <algorithm>

#include "userspace/recording/codec.h"

namespace dwell {

AddressSpace::Span ChangingStacks::span_of(const WalkedStack& stack, std::uint64_t time_ns, const AddressSpace& space) {
  AddressSpace::Span all;
  for (std::size_t i = 0; i < stack.pcs.size(); ++i) {
    AddressSpace::Span one = space.same_around(stack.within(i), time_ns);
    all.from_ns = std::max(all.from_ns, one.from_ns);
    all.to_ns = std::min(all.to_ns, one.to_ns);
  }
  return all;
}

bool ChangingStacks::keep(std::uint64_t identity, TargetSlot slot, const WalkedStack& stack, const AddressSpace& space) {
  if (space.changes() == 0 || is_full()) return false;
  bool changing = false;
  for (std::size_t i = 0; i < stack.pcs.size() && !changing; ++i) changing = space.is_changing(stack.within(i));
  if (!changing) return false;
  AddressSpace::Span span = span_of(stack, stack.time_ns, space);
  kept_.try_emplace(identity, Kept{slot, stack, span.from_ns, identity, span, space.changes()});
  return true;
}

const TargetSlot* ChangingStacks::owner(std::uint64_t identity) const {
  auto found = kept_.find(identity);
  return found == kept_.end() ? nullptr : &found->second.slot;
}

std::uint64_t ChangingStacks::meaning_at(std::uint64_t identity, std::uint64_t time_ns, const AddressSpace& space,
                                         StackTable& stacks) {
  auto found = kept_.find(identity);
  if (found == kept_.end()) return identity;
  Kept& kept = found->second;
  if (kept.changes == space.changes() && time_ns >= kept.span.from_ns && time_ns < kept.span.to_ns) return kept.meaning;
  kept.span = span_of(kept.stack, time_ns, space);
  kept.changes = space.changes();
  kept.meaning = identity;
  if (kept.span.from_ns == kept.learned_from_ns) return kept.meaning;
  kept.meaning = (identity ^ kept.span.from_ns * 0x9e3779b97f4a7c15ull) | 1;
  if (!stacks.knows(kept.meaning)) {
    WalkedStack then = kept.stack;
    then.time_ns = time_ns;
    std::vector<std::uint32_t> locations = locate(then, space, writer_);
    stacks.learn(kept.meaning, std::move(locations), then.end);
  }
  return kept.meaning;
}

std::vector<std::uint32_t> ChangingStacks::locate(WalkedStack& stack, const AddressSpace& space, RecordingWriter& writer) {
  std::vector<std::uint32_t> locations;
  for (std::size_t i = 0; i < stack.pcs.size(); ++i) {
    bool unknown = space.is_unknown(stack.within(i), stack.time_ns);
    Location location = unknown ? Location{-1, stack.pcs[i], !stack.exact[i]} : space.locate(stack.pcs[i], !stack.exact[i], stack.time_ns);
    locations.push_back(writer.add_location(location));
    bool last = i + 1 == stack.pcs.size();
    if (unknown) stack.end = kStackReplaced;
    if (last || !space.was_replaced_before(stack.within(i), stack.time_ns)) continue;
    stack.pcs.resize(i + 1);
    stack.exact.resize(i + 1);
    stack.end = kStackReplaced;
  }
  return locations;
}

}  // namespace dwell
