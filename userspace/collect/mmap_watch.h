// SPDX-License-Identifier: Apache-2.0
// Tells when a process maps another executable file (dlopen), without polling its maps, whose reading
// takes the target's mmap lock.
//
// The kernel reports every executable mapping on the machine through one perf event on each CPU; what is
// not of a watched process is dropped here. Lost reports are told, and the answer is to read the maps again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

struct NewMapping {
  pid_t pid;
  std::uint64_t start, size, file_offset;
  std::uint64_t inode;
  std::uint32_t device_major, device_minor;
  std::string path;  // as the target's mount namespace sees it
  std::uint64_t time_ns;
};

struct NewProgram {  // a process replaced its program: nothing of its memory is left
  pid_t pid;
  std::uint64_t time_ns;
};

struct MappingNews {
  std::vector<NewMapping> mappings;  // of executable memory backed by a file
  std::vector<NewProgram> executed;
  std::uint64_t lost = 0;            // at least so many reports were dropped by the kernel: read the maps afresh

  bool empty() const { return mappings.empty() && executed.empty() && lost == 0; }
  void clear();
  void append(MappingNews later);
};

// Pure: appends what the records in `bytes` (PERF_RECORD_*, whole) tell about the watched processes.
void decode_mapping_records(std::span<const std::byte> bytes, const std::unordered_set<pid_t>& watched,
                            MappingNews& news);

class MmapWatch {
 public:
  static Result<MmapWatch> open();

  MmapWatch(MmapWatch&&) noexcept = default;
  MmapWatch& operator=(MmapWatch&&) noexcept;
  ~MmapWatch();

  void watch(pid_t pid) { watched_.insert(pid); }
  void forget(pid_t pid) { watched_.erase(pid); }

  // An epoll descriptor, readable when there may be news.
  int fd() const { return epoll_.get(); }
  // What has arrived since the last call. Never blocks.
  MappingNews take();

 private:
  struct Ring {
    UniqueFd event;
    void* pages;
  };
  MmapWatch() = default;
  void close_rings();

  UniqueFd epoll_;
  std::vector<Ring> rings_;
  std::unordered_set<pid_t> watched_;
};

}  // namespace dwell
