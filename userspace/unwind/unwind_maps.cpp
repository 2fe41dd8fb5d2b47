// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/unwind_maps.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "userspace/base/unique_fd.h"

namespace dwell {

Result<void> provide_scratch(bpf_map* scratch) {
  auto failed = [](const char* what) { return system_error(what, errno, "run: dwell doctor"); };
  std::uint32_t count = bpf_map__max_entries(scratch) * libbpf_num_possible_cpus();
  std::uint32_t bytes = bpf_map__value_size(bpf_map__inner_map(scratch));
  auto create_one = [&] {
    return UniqueFd(
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_scratch", sizeof(std::uint32_t), bytes, 1, nullptr));
  };
  UniqueFd like = create_one();
  if (!like.valid()) return failed("create scratch memory for stacks");
  LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<std::uint32_t>(like.get()));
  UniqueFd all(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "unwind_scratch", sizeof(std::uint32_t),
                              sizeof(std::uint32_t), count, &options));
  if (!all.valid()) return failed("create the map of scratch memory for stacks");
  for (std::uint32_t i = 0; i < count; ++i) {
    UniqueFd one = create_one();
    int fd = one.get();
    if (fd < 0 || bpf_map_update_elem(all.get(), &i, &fd, BPF_ANY))
      return failed("provide scratch memory for stacks");
  }
  if (bpf_map__reuse_fd(scratch, all.get())) return failed("hand over scratch memory for stacks");
  return {};
}

}  // namespace dwell
