// SPDX-License-Identifier: Apache-2.0
// The values of one entry of a per-CPU array, one for each CPU.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>
#include <vector>

namespace dwell {

// `Value` has a size that is a multiple of 8, as the kernel lays them out.
template <typename Value>
std::vector<Value> per_cpu_values(int map_fd, std::uint32_t key = 0) {
  static_assert(sizeof(Value) % 8 == 0);
  std::vector<Value> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(map_fd, &key, values.data())) values.clear();
  return values;
}

}  // namespace dwell
