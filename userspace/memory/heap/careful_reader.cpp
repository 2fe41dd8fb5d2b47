// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/careful_reader.h"

#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kCarefulPiece = 64 << 10, kPieces = 16;
constexpr std::size_t kPaceAfter = 4 << 20;  // bytes: pauses shorter than this takes are not worth a system call

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

CarefulReader::CarefulReader(pid_t pid, std::uint64_t bytes_per_s)
    : pid_(pid),
      bytes_per_s_(bytes_per_s),
      pages_(pid),
      memory_(pid, [this](std::uint64_t address, void* to, std::size_t size) { return read_some(address, to, size); }) {}

std::size_t CarefulReader::read_run(std::uint64_t address, char* to, std::size_t size) const {
  std::size_t done = 0;
  while (done < size) {
    std::array<iovec, kPieces> local, remote;
    std::size_t count = 0, asked = 0;
    for (; count < kPieces && done + asked < size; ++count) {
      std::size_t piece = std::min(kCarefulPiece, size - done - asked);
      local[count] = {to + done + asked, piece};
      remote[count] = {reinterpret_cast<void*>(address + done + asked), piece};
      asked += piece;
    }
    ssize_t got = ::process_vm_readv(pid_, local.data(), count, remote.data(), count, 0);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
    if (static_cast<std::size_t>(got) < asked) break;
  }
  return done;
}

std::size_t CarefulReader::read_some(std::uint64_t address, void* to, std::size_t size) {
  char* out = static_cast<char*>(to);
  std::size_t done = 0;
  std::array<PageState, kCarefulPiece * kPieces / kPageSize + 1> states;
  while (done < size) {
    std::uint64_t at = address + done;
    std::size_t in_page = at % kPageSize;
    std::size_t count = std::min(states.size(), (in_page + size - done + kPageSize - 1) / kPageSize);
    pages_.read(at, {states.data(), count});
    std::size_t run = 1;
    while (run < count && states[run] == states[0]) ++run;
    std::size_t bytes = std::min(size - done, run * kPageSize - in_page);
    if (states[0] == PageState::kSwapped) {
      swapped_pages_ += run;
      break;
    }
    std::size_t got = bytes;
    if (states[0] == PageState::kAbsent) {
      std::memset(out + done, 0, bytes);
    } else {
      got = read_run(at, out + done, bytes);
      pace(got);
    }
    done += got;
    if (got < bytes) break;
  }
  return done;
}

void CarefulReader::pace(std::size_t size) {
  bytes_read_ += size;
  if (!bytes_per_s_) return;
  if (!owed_bytes_) owed_since_ns_ = now_ns();
  owed_bytes_ += size;
  if (owed_bytes_ < kPaceAfter) return;
  auto due_ns = static_cast<std::uint64_t>(static_cast<double>(owed_bytes_) * 1e9 / static_cast<double>(bytes_per_s_));
  std::uint64_t used_ns = now_ns() - owed_since_ns_;
  owed_bytes_ = 0;
  if (used_ns >= due_ns) return;
  std::uint64_t pause_ns = due_ns - used_ns;
  timespec pause{static_cast<time_t>(pause_ns / 1'000'000'000), static_cast<long>(pause_ns % 1'000'000'000)};
  ::nanosleep(&pause, nullptr);
  paused_ns_ += pause_ns;
}

}  // namespace dwell::memory::heap
