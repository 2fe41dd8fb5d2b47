// SPDX-License-Identifier: Apache-2.0
// Records of the kernel about new mappings. The kernel is no enemy, but paths in them are the target's.
#include <cstdlib>
#include <span>

#include "tests/fuzz/memory_bound.h"
#include "userspace/collect/mmap_watch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 64 << 10, 128);
  using namespace dwell;
  MappingNews news;
  decode_mapping_records(std::as_bytes(std::span(data, size)), {7}, news);
  if (news.mappings.size() > size / 8 || news.executed.size() > size / 8) std::abort();
  for (const NewMapping& mapping : news.mappings)
    if (mapping.pid != 7 || mapping.inode == 0) std::abort();
  return 0;
}
