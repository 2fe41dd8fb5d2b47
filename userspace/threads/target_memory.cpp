// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/target_memory.h"

#include <sys/uio.h>

namespace dwell {

std::size_t TargetMemory::read_some(std::uint64_t address, void* to, std::size_t size) const {
  iovec here{to, size}, there{reinterpret_cast<void*>(address), size};
  ssize_t n = ::process_vm_readv(pid_, &here, 1, &there, 1, 0);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

bool TargetMemory::read(std::uint64_t address, void* to, std::size_t size) const {
  return read_some(address, to, size) == size;
}

}  // namespace dwell
