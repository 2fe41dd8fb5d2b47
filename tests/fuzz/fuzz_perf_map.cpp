// SPDX-License-Identifier: Apache-2.0
// Maps of JIT code, written by the target, and the kernel's symbols.
#include <cstdlib>
#include <string_view>

#include "symbolizer/perf_map.h"
#include "tests/fuzz/memory_bound.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 64 << 10, 128);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  dwell::AddressMap names = dwell::parse_perf_map(text);
  if (names.size() > 2 * size) std::abort();
  for (std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x1000}, ~std::uint64_t{0}}) {
    const dwell::AddressMap::Entry* entry = names.find(address);
    if (entry && entry->end <= address) std::abort();
  }
  dwell::parse_kallsyms(text).find(0x1000);
  return 0;
}
