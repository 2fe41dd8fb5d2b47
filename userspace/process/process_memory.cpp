// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/process_memory.h"

#include <fmt/core.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "userspace/base/living_thread.h"
#include "userspace/base/privileges.h"

namespace dwell {
namespace {

constexpr std::size_t kPiecesAtOnce = 512;

}  // namespace

// ESRCH: that thread has ended.
ssize_t ProcessMemory::read_by_kernel(const iovec* local, const iovec* remote, std::size_t count) const {
  ssize_t got = ::process_vm_readv(thread_, local, count, remote, count, 0);
  if (got >= 0 || errno != ESRCH) return got;
  thread_ = living_thread(pid_);
  return ::process_vm_readv(thread_, local, count, remote, count, 0);
}

bool ProcessMemory::read(std::uint64_t address, void* to, std::size_t size) const {
  return read_some(address, to, size) == size;
}

std::size_t ProcessMemory::read_some(std::uint64_t address, void* to, std::size_t size) const {
  if (reader_) return reader_(address, to, size);
  std::size_t done = 0;
  while (done < size) {
    iovec local{static_cast<char*>(to) + done, size - done};
    iovec remote{reinterpret_cast<void*>(address + done), size - done};
    ssize_t count = read_by_kernel(&local, &remote, 1);
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void ProcessMemory::read_pieces(std::span<MemoryPiece> pieces) const {
  if (reader_) {
    for (MemoryPiece& piece : pieces) piece.read = read(piece.address, piece.to, piece.size);
    return;
  }
  std::array<iovec, kPiecesAtOnce> local, remote;
  while (!pieces.empty()) {
    std::size_t count = std::min(pieces.size(), kPiecesAtOnce);
    for (std::size_t i = 0; i < count; ++i) {
      local[i] = {pieces[i].to, pieces[i].size};
      remote[i] = {reinterpret_cast<void*>(pieces[i].address), pieces[i].size};
    }
    ssize_t got = read_by_kernel(local.data(), remote.data(), count);
    std::size_t left = got > 0 ? static_cast<std::size_t>(got) : 0;
    std::size_t whole = 0;
    while (whole < count && left >= pieces[whole].size) {
      left -= pieces[whole].size;
      pieces[whole++].read = true;
    }
    // The call ends at the first piece that it can't read: go on behind that one.
    pieces = pieces.subspan(std::min(pieces.size(), whole < count ? whole + 1 : whole));
  }
}

std::string ProcessMemory::text(std::uint64_t address, std::uint64_t size, std::size_t limit) const {
  if (size == 0 || size > limit) return {};
  std::string result(size, '\0');
  return read(address, result.data(), size) ? result : std::string();
}

Result<void> ProcessMemory::check(std::uint64_t address) const {
  char byte;
  if (reader_) return {};
  iovec local{&byte, 1}, remote{reinterpret_cast<void*>(address), 1};
  if (read_by_kernel(&local, &remote, 1) == 1) return {};
  int error = errno;
  return system_error(fmt::format("read the memory of PID {}", pid_), error,
                      error == EPERM ? privilege_hint({Capability::kSysPtrace}) : "");
}

}  // namespace dwell
