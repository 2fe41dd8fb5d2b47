// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/type_masks.h"

namespace dwell {
namespace {

constexpr std::uint64_t kLargestMask = 16 << 20;
constexpr std::size_t kMostMasks = 1 << 20;

}  // namespace

const TypeMask& TypeMasks::of(std::uint64_t type) {
  auto found = masks_.find(type);
  if (found != masks_.end()) return found->second;
  if (masks_.size() >= kMostMasks) masks_.clear();
  return masks_.emplace(type, read(type)).first->second;
}

TypeMask TypeMasks::read(std::uint64_t type) const {
  constexpr std::size_t kSize = 0, kPointerBytes = 8, kFlags = 20, kKind = 23, kMask = 32, kTypeSize = 48;
  constexpr int kFirstOnDemand = 24;
  constexpr std::uint8_t kOnDemand = 1 << 4, kProgram = 1 << 6;
  TypeMask mask;
  std::string bytes = runtime_->memory().text(type, kTypeSize, kTypeSize);
  if (bytes.empty()) return mask;
  mask.size = field_of<std::uint64_t>(bytes, kSize);
  std::uint64_t pointer_bytes = field_of<std::uint64_t>(bytes, kPointerBytes);
  std::uint64_t address = field_of<std::uint64_t>(bytes, kMask);
  bool new_form = runtime_->layout().minor >= kFirstOnDemand;
  if (mask.size == 0 || pointer_bytes > mask.size || pointer_bytes / 64 > kLargestMask) return mask;
  if (new_form && field_of<std::uint8_t>(bytes, kFlags) & kOnDemand)
    address = runtime_->memory().load<std::uint64_t>(address).value_or(0);  // 0: not made yet
  if (!new_form && field_of<std::uint8_t>(bytes, kKind) & kProgram) return mask;
  mask.words = pointer_bytes / 8;
  if (mask.words) mask.bits = runtime_->memory().text(address, (mask.words + 7) / 8, kLargestMask);
  mask.known = !mask.words || !mask.bits.empty();
  return mask;
}

}  // namespace dwell
