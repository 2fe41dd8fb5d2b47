// SPDX-License-Identifier: Apache-2.0
// The entries of a BPF map of sums, one after the other, as they stand when they are read.
#pragma once

#include <bpf/bpf.h>

namespace dwell {

template <typename Key, typename Value, typename Visit>
void for_each_entry(int map, Visit visit) {
  Key key{}, next{};
  Value value{};
  for (const void* after = nullptr; bpf_map_get_next_key(map, after, &next) == 0; after = &key) {
    key = next;
    if (bpf_map_lookup_elem(map, &key, &value) == 0) visit(key, value);
  }
}

}  // namespace dwell
