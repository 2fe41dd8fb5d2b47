// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/ledger.h"

#include <algorithm>

namespace dwell::files {

void DescriptorLedger::open(Key key, const Open& what) {
  open_[key] = what;
  DescriptorChange& change = changes_[what.site];
  change.site = what.site;
  ++change.opened;
}

void DescriptorLedger::close(std::uint64_t time_ns, Key key) {
  if (changed_) changed_->insert(key);
  auto found = open_.find(key);
  if (found == open_.end()) return;
  DescriptorChange& change = changes_[found->second.site];
  change.site = found->second.site;
  ++change.closed;
  std::uint64_t opened_ns = found->second.opened_ns;
  if (opened_ns) ++change.lifetimes[lifetime_class(opened_ns, time_ns)];
  open_.erase(found);
}

template <typename Matches>
std::vector<DescriptorLedger::Key> DescriptorLedger::keys_where(Matches matches) const {
  std::vector<Key> keys;
  for (const auto& [key, what] : open_)
    if (matches(key)) keys.push_back(key);
  return keys;
}

void DescriptorLedger::add_before(std::uint64_t time_ns, ProcessSlot process, std::span<const SeenDescriptor> seen) {
  looked_ns_[process] = time_ns;
  for (const SeenDescriptor& one : seen) open({process, one.fd}, {{process, StackId::kUnknown, one.kind, Opening::kBefore}, 0});
}

void DescriptorLedger::fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child, std::span<const SeenDescriptor> seen) {
  for (const SeenDescriptor& one : seen) {
    auto of_parent = open_.find({parent, one.fd});
    bool inherited = of_parent != open_.end() && of_parent->second.site.kind == one.kind;
    Open what = inherited ? of_parent->second : Open{{child, StackId::kUnknown, one.kind, Opening::kUnseen}, time_ns};
    what.site.process = child;
    if (inherited) what.site.opening = Opening::kInherited;
    open({child, one.fd}, what);
  }
}

// Whether the look at what was open before came after this event, and saw what it opened: it was not open before.
bool DescriptorLedger::is_one_of_before(std::uint64_t time_ns, Key key) {
  auto looked = looked_ns_.find(key.first);
  if (looked == looked_ns_.end() || time_ns > looked->second) return false;
  auto found = open_.find(key);
  if (found == open_.end() || found->second.site.opening != Opening::kBefore) return false;
  DescriptorChange& change = changes_[found->second.site];
  return change.opened && change.opened-- > 0;
}

void DescriptorLedger::opened(const DescriptorOpened& event) {
  Key key{event.site.process, event.fd};
  if (!is_one_of_before(event.time_ns, key)) close(event.time_ns, key);
  open(key, {event.site, event.time_ns});
}

void DescriptorLedger::closed(std::uint64_t time_ns, ProcessSlot process, std::uint32_t first, std::uint32_t last) {
  if (first == last) return close(time_ns, {process, first});
  for (Key key : keys_where([&](Key one) { return one.first == process && one.second >= first && one.second <= last; })) close(time_ns, key);
}

void DescriptorLedger::left(std::uint64_t time_ns, ProcessSlot process, std::uint32_t first, std::uint64_t open, bool end) {
  if (end) return closed(time_ns, process, first, ~0u);
  for (std::uint32_t bit = 0; bit < 64; ++bit)
    if (!(open >> bit & 1)) close(time_ns, {process, first + bit});
}

void DescriptorLedger::process_ended(std::uint64_t time_ns, ProcessSlot process) { closed(time_ns, process, 0, ~0u); }

DescriptorCheck DescriptorLedger::check(std::uint64_t time_ns, ProcessSlot process, std::span<const SeenDescriptor> seen) {
  DescriptorCheck check{process};
  absl::flat_hash_set<Key> changed = std::move(changed_).value_or(absl::flat_hash_set<Key>());
  changed_.reset();
  absl::flat_hash_set<std::uint32_t> there;
  for (const SeenDescriptor& one : seen) {
    there.insert(one.fd);
    Key key{process, one.fd};
    if (changed.contains(key)) continue;
    if (open_.contains(key)) {
      ++check.agree;
    } else {
      ++check.unseen;
      open(key, {{process, StackId::kUnknown, one.kind, Opening::kUnseen}, 0});
    }
  }
  for (Key key : keys_where([&](Key one) { return one.first == process && !there.contains(one.second) && !changed.contains(one); })) {
    ++check.gone;
    close(time_ns, key);
  }
  changed_ = std::move(changed);
  return check;
}

DescriptorTick DescriptorLedger::take_tick(std::uint64_t now_ns) {
  DescriptorTick tick{tick_start_ns_, now_ns, {}};
  for (auto& [site, change] : changes_) tick.changes.push_back(std::move(change));
  changes_.clear();
  tick_start_ns_ = now_ns;
  return tick;
}

std::vector<OpenDescriptor> DescriptorLedger::open_descriptors() const {
  std::vector<OpenDescriptor> all;
  for (const auto& [key, what] : open_) all.push_back({what.site, key.second, what.opened_ns, false});
  std::ranges::sort(all, {}, [](const OpenDescriptor& one) { return std::pair(one.site.process, one.fd); });
  return all;
}

}  // namespace dwell::files
