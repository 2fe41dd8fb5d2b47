// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/goroutines/labels.h"

#include <algorithm>
#include <array>

namespace dwell {
namespace {

constexpr std::size_t kMostLabels = 64, kLongest = 256;

struct StringHeader {
  std::uint64_t address, size;
};

std::string text_of(const ProcessMemory& memory, const StringHeader& header) {
  return memory.text(header.address, header.size, kLongest);
}

// Go 1.24 and later: a slice of pairs of strings.
void add_from_slice(const ProcessMemory& memory, std::uint64_t address, GoLabels& labels) {
  std::optional<GoSlice> slice = memory.load<GoSlice>(address);
  if (!slice) return;
  std::array<StringHeader, 2> pair;
  for (std::size_t i = 0; i < std::min<std::size_t>(slice->length, kMostLabels); ++i) {
    if (memory.read(slice->address + i * sizeof pair, pair.data(), sizeof pair))
      labels.emplace_back(text_of(memory, pair[0]), text_of(memory, pair[1]));
  }
}

// Before: a map of strings. A bucket is 8 bytes of hashes, 8 keys, 8 values, and the next bucket.
void add_from_map(const ProcessMemory& memory, std::uint64_t address, GoLabels& labels) {
  constexpr std::size_t kSlots = 8, kBucketSize = 8 + 2 * kSlots * sizeof(StringHeader) + 8;
  constexpr std::uint8_t kFirstUsed = 5, kMostLogged = 6;
  std::array<char, 48> map{};
  if (!memory.read(address, map.data(), map.size())) return;
  std::string_view header(map.data(), map.size());
  std::uint8_t log_buckets = field_of<std::uint8_t>(header, 9);
  std::uint64_t buckets = field_of<std::uint64_t>(header, 16);
  if (log_buckets > kMostLogged || !buckets) return;
  std::array<char, kBucketSize> bytes{};
  std::string_view bucket(bytes.data(), bytes.size());
  for (std::size_t i = 0; i < std::size_t{1} << log_buckets; ++i) {
    std::uint64_t at = buckets + i * kBucketSize;
    for (int chained = 0; at && chained < 8 && memory.read(at, bytes.data(), bytes.size()); ++chained) {
      for (std::size_t slot = 0; slot < kSlots && labels.size() < kMostLabels; ++slot) {
        if (field_of<std::uint8_t>(bucket, slot) < kFirstUsed) continue;
        std::size_t key = 8 + slot * sizeof(StringHeader);
        labels.emplace_back(
            text_of(memory, field_of<StringHeader>(bucket, key)),
            text_of(memory, field_of<StringHeader>(bucket, key + kSlots * sizeof(StringHeader))));
      }
      at = field_of<std::uint64_t>(bucket, kBucketSize - 8);
    }
  }
}

}  // namespace

GoLabels read_labels(const GoRuntime& runtime, std::uint64_t address) {
  GoLabels labels;
  if (!address) return labels;
  constexpr int kFirstWithSlice = 24;
  if (runtime.layout().minor >= kFirstWithSlice) {
    add_from_slice(runtime.memory(), address, labels);
  } else {
    add_from_map(runtime.memory(), runtime.memory().load<std::uint64_t>(address).value_or(0), labels);
  }
  std::erase_if(labels, [](const auto& label) { return label.first.empty(); });
  std::sort(labels.begin(), labels.end());
  return labels;
}

}  // namespace dwell
