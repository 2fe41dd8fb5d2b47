// SPDX-License-Identifier: Apache-2.0
// An ELF file of the target: its symbols, its relocations, and the code of what it says are allocators.
#include <cstdlib>
#include <string>

#include "userspace/probes/allocators.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  Result<ElfFile> elf = ElfFile::from_bytes(std::string(reinterpret_cast<const char*>(data), size), "fuzzed");
  if (!elf) return 0;
  std::vector<IndirectFunction> indirect;
  AllocModule module = allocators_of(*elf, nullptr, &indirect);
  if (module.functions.size() > 512) std::abort();
  for (const AllocFunction& function : module.functions)
    if (function.shape == DWELL_SHAPE_NONE) std::abort();
  return 0;
}
