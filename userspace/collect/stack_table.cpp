// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/stack_table.h"

namespace dwell {
namespace {

constexpr std::size_t kMostIdentities = 2 * kMaxStacks;
// Of the recording's table: for functions alone, and for what other tracers still have to name.
constexpr std::size_t kKeptFree = 4096;

}  // namespace

void StackTable::set_probe(std::uint16_t probe, const Location& function) {
  if (probe >= probes_.size()) probes_.resize(probe + 1, -1);
  probes_[probe] = writer_.add_location(function);
}

void StackTable::learn(std::uint64_t identity, std::vector<std::uint32_t> locations, std::uint8_t end) {
  if (walked_.size() >= kMostIdentities) return;
  bool full = writer_.stack_count() + kKeptFree >= kMaxStacks;
  std::size_t kept = full ? 0 : frames_kept_;
  if (locations.size() > kept) {
    locations.resize(kept);
    locations.shrink_to_fit();
    end = kStackShortened;
  }
  std::size_t frames = locations.size();
  if (!walked_.try_emplace(identity, Walked{std::move(locations), StackId::kUnknown, 0, end}).second) return;
  frames_ += frames;
  refused_ += full;
}

std::span<const std::uint32_t> StackTable::locations_of(const Walked& walked) const {
  if (walked.stack == StackId::kUnknown) return walked.locations;
  return writer_.locations_of(walked.stack).subspan(walked.probe_frames);
}

std::span<const std::uint32_t> StackTable::locations_of(std::uint64_t identity) const {
  auto walked = walked_.find(identity);
  return walked == walked_.end() ? std::span<const std::uint32_t>{} : locations_of(walked->second);
}

StackId StackTable::find(std::uint64_t identity, std::uint16_t probe, std::uint64_t time_ns) {
  if (meaning_ && time_ns) identity = meaning_(identity, time_ns);
  // An identity is a hash already; an odd factor keeps different probes apart.
  std::uint64_t key = identity ^ (probe * 0x9e3779b97f4a7c15ull);
  auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  StackId stack = add(identity, probe);
  if (stack != StackId::kUnknown && known_.size() < 2 * kMostIdentities) known_.emplace(key, stack);
  return stack;
}

StackId StackTable::function_alone(std::uint16_t probe) {
  std::vector<std::uint32_t> locations;
  if (probe < probes_.size() && probes_[probe] >= 0) locations.push_back(static_cast<std::uint32_t>(probes_[probe]));
  return writer_.add_stack(locations, kStackShortened);
}

StackId StackTable::add(std::uint64_t identity, std::uint16_t probe) {
  auto walked = walked_.find(identity);
  if (walked == walked_.end() && walked_.size() >= kMostIdentities) {
    ++refused_;
    return function_alone(probe);
  }
  std::vector<std::uint32_t> locations;
  if (probe < probes_.size() && probes_[probe] >= 0) locations.push_back(static_cast<std::uint32_t>(probes_[probe]));
  if (walked == walked_.end()) {
    ++unresolved_;
    return StackId::kUnknown;
  }
  auto probe_frames = static_cast<std::uint8_t>(locations.size());
  std::span<const std::uint32_t> called_by = locations_of(walked->second);
  locations.insert(locations.end(), called_by.begin(), called_by.end());
  StackId stack = writer_.add_stack(locations, walked->second.end);
  if (stack == StackId::kUnknown) {
    ++refused_;
  } else if (walked->second.stack == StackId::kUnknown) {
    frames_ -= walked->second.locations.size();
    walked->second = {{}, stack, probe_frames, walked->second.end};
  }
  return stack;
}

std::size_t StackTable::memory_bytes() const {
  return frames_ * sizeof(std::uint32_t) + walked_.capacity() * (sizeof(Walked) + 9) + known_.capacity() * 17;
}

}  // namespace dwell
