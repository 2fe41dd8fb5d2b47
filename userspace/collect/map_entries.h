// SPDX-License-Identifier: Apache-2.0
// All entries of a BPF hash map, read and deleted in batches (Linux 5.6, kernel/bpf/hashtab.c).
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

namespace dwell {

inline constexpr std::uint32_t kEntriesAtOnce = 4096;

// An entry that comes or goes meanwhile may be missed.
template <typename Key, typename Value>
std::vector<std::pair<Key, Value>> map_entries(bpf_map* map) {
  std::vector<std::pair<Key, Value>> entries;
  std::vector<Key> keys(kEntriesAtOnce);
  std::vector<Value> values(kEntriesAtOnce);
  std::uint64_t at[8] = {};  // where the kernel goes on: a bucket's number, or a key
  static_assert(sizeof(Key) <= sizeof at);
  for (bool first = true;; first = false) {
    std::uint32_t count = kEntriesAtOnce;
    int error = bpf_map_lookup_batch(bpf_map__fd(map), first ? nullptr : at, at, keys.data(), values.data(), &count,
                                     nullptr);
    if (error && error != -ENOENT) return entries;
    for (std::uint32_t i = 0; i < count; ++i) entries.emplace_back(keys[i], values[i]);
    if (error) return entries;
  }
}

template <typename Key, typename Value>
void clear_map(bpf_map* map) {
  std::vector<Key> keys;
  for (const auto& [key, value] : map_entries<Key, Value>(map)) keys.push_back(key);
  for (std::size_t done = 0; done < keys.size();) {
    auto count = static_cast<std::uint32_t>(std::min<std::size_t>(kEntriesAtOnce, keys.size() - done));
    std::uint32_t deleted = count;
    if (bpf_map_delete_batch(bpf_map__fd(map), keys.data() + done, &deleted, nullptr) && errno != ENOENT) return;
    done += count;
  }
}

}  // namespace dwell
