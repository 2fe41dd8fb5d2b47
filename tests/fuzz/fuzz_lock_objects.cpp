// SPDX-License-Identifier: Apache-2.0
// Locks as they lie in the memory of a process that put anything there.
#include <cstdlib>

#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"
#include <vector>

#include "userspace/threads/lock_objects.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::testing::MemoryBound bound(size, 64 << 10, 16);
  dwell::testing::Input input(data, size);
  auto family = static_cast<dwell::LockFamily>(input.byte() % (static_cast<int>(dwell::LockFamily::kGo) + 1));
  std::uint64_t futex = input.take<std::uint64_t>();
  std::vector<dwell::ThreadIdentity> threads(input.byte() % 8);
  for (auto& thread : threads) thread = {input.take<std::uint32_t>(), input.take<std::uint64_t>()};
  dwell::testing::HostileMemory memory{futex - input.byte(), input.rest()};
  auto read = [&](std::uint64_t address, void* to, std::size_t bytes) { return memory.read(address, to, bytes); };
  dwell::LockObject lock = dwell::read_lock(futex, family, threads, read);
  if (lock.futex != futex || lock.kind_words.size() + lock.details.size() > 512) std::abort();
  if (lock.owner && !lock.names_owner) std::abort();
  return 0;
}
