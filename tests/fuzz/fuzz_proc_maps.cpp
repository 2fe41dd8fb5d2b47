// SPDX-License-Identifier: Apache-2.0
// The text of /proc/PID/maps: paths in it are the target's to choose.
#include <cstdlib>
#include <string_view>

#include "symbolizer/proc_maps.h"
#include "tests/fuzz/memory_bound.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 64 << 10, 128);
  std::size_t skipped = 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<dwell::Mapping> mappings = dwell::parse_maps(text, &skipped);
  if (mappings.size() + skipped > size) std::abort();
  for (const dwell::Mapping& mapping : mappings) {
    if (mapping.end <= mapping.start || mapping.path.size() > size) std::abort();
  }
  return 0;
}
