// SPDX-License-Identifier: Apache-2.0
// The unwinder's maps in any skeleton whose program includes bpf/unwind.h.
#pragma once

#include <bpf/libbpf.h>

#include "userspace/unwind/table_memory.h"

namespace dwell {

// Between open and load.
template <typename Skeleton>
void set_unwind_map_sizes(Skeleton& skeleton, const UnwindMapSizes& sizes) {
  bpf_map__set_max_entries(skeleton.maps.unwind_mappings, sizes.mappings);
  bpf_map__set_max_entries(skeleton.maps.unwind_pages, sizes.pages);
  bpf_map__set_max_entries(skeleton.maps.unwind_rows, sizes.rows);
  bpf_map__set_max_entries(skeleton.maps.unwind_rules, sizes.rules);
}

// After load.
template <typename Skeleton>
UnwindMapFds unwind_map_fds(const Skeleton& skeleton) {
  return {bpf_map__fd(skeleton.maps.unwind_spaces), bpf_map__fd(skeleton.maps.unwind_mappings),
          bpf_map__fd(skeleton.maps.unwind_pages), bpf_map__fd(skeleton.maps.unwind_rows),
          bpf_map__fd(skeleton.maps.unwind_rules)};
}

}  // namespace dwell
