// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/stack_table.h"

namespace dwell {

void StackTable::set_probe(std::uint16_t probe, const Location& function) {
  if (probe >= probes_.size()) probes_.resize(probe + 1, -1);
  probes_[probe] = writer_.add_location(function);
}

void StackTable::learn(std::uint64_t identity, std::vector<std::uint32_t> locations, std::uint8_t end) {
  std::size_t frames = locations.size();
  if (walked_.try_emplace(identity, Walked{std::move(locations), end}).second) frames_ += frames;
}

std::span<const std::uint32_t> StackTable::locations_of(std::uint64_t identity) const {
  auto walked = walked_.find(identity);
  return walked == walked_.end() ? std::span<const std::uint32_t>{} : walked->second.locations;
}

StackId StackTable::find(std::uint64_t identity, std::uint16_t probe) {
  // An identity is a hash already; an odd factor keeps different probes apart.
  std::uint64_t key = identity ^ (probe * 0x9e3779b97f4a7c15ull);
  auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  StackId stack = add(identity, probe);
  if (stack != StackId::kUnknown) known_.emplace(key, stack);
  return stack;
}

StackId StackTable::add(std::uint64_t identity, std::uint16_t probe) {
  auto walked = walked_.find(identity);
  std::vector<std::uint32_t> locations;
  if (probe < probes_.size() && probes_[probe] >= 0) locations.push_back(probes_[probe]);
  if (walked == walked_.end()) {
    ++unresolved_;
    return StackId::kUnknown;
  }
  locations.insert(locations.end(), walked->second.locations.begin(), walked->second.locations.end());
  StackId stack = writer_.add_stack(locations, walked->second.end);
  if (stack == StackId::kUnknown) ++refused_;
  return stack;
}

std::size_t StackTable::memory_bytes() const {
  return frames_ * sizeof(std::uint32_t) + walked_.capacity() * (sizeof(Walked) + 9) + known_.capacity() * 17;
}

}  // namespace dwell
