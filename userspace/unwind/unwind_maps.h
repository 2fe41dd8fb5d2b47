// SPDX-License-Identifier: Apache-2.0
// The unwinder's maps in any skeleton whose program includes bpf/unwind.h.
#pragma once

#include <bpf/libbpf.h>

#include "userspace/base/result.h"
#include "userspace/unwind/table_memory.h"

namespace dwell {

// Scratch memory for the walks on every CPU, in place of the empty map of maps that the object asks for.
Result<void> provide_scratch(bpf_map* scratch);

// Between open and load.
template <typename Skeleton>
Result<void> prepare_unwind_maps(Skeleton& skeleton, const UnwindMapSizes& sizes) {
  bpf_map__set_max_entries(skeleton.maps.unwind_mappings, sizes.mappings);
  bpf_map__set_max_entries(skeleton.maps.unwind_pages, sizes.pages);
  bpf_map__set_max_entries(skeleton.maps.unwind_rows, sizes.rows);
  bpf_map__set_max_entries(skeleton.maps.unwind_rules, sizes.rules);
  return provide_scratch(skeleton.maps.unwind_scratch);
}

// After load.
template <typename Skeleton>
UnwindMapFds unwind_map_fds(const Skeleton& skeleton) {
  return {bpf_map__fd(skeleton.maps.unwind_spaces), bpf_map__fd(skeleton.maps.unwind_mappings),
          bpf_map__fd(skeleton.maps.unwind_pages), bpf_map__fd(skeleton.maps.unwind_rows),
          bpf_map__fd(skeleton.maps.unwind_rules)};
}

}  // namespace dwell
