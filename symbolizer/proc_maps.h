// SPDX-License-Identifier: Apache-2.0
// Mappings of a process, parsed from /proc/PID/maps, and the way to open what is mapped whatever its path
// says: deleted, replaced, or inside another mount namespace.
//
// Reading the maps takes the target's mmap lock for a moment: read once, do not poll.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct Mapping {
  std::uint64_t start = 0, end = 0;  // [start, end) in the target
  std::uint64_t file_offset = 0;
  std::uint64_t inode = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  bool readable = false, writable = false, executable = false, shared = false;
  bool deleted = false;  // " (deleted)" stood behind the path
  std::string path;      // as the target's mount namespace sees it; "[vdso]", "[stack]", "" for anonymous

  bool is_file() const { return inode != 0; }
  // Names the device in one number; with the inode, the file.
  std::uint64_t device() const { return std::uint64_t{device_major} << 32 | device_minor; }
};

// How the path of a memfd begins. Runtimes that map their code twice, to write and to run it, keep it in one (Erlang, .NET).
inline constexpr std::string_view kMemfd = "/memfd:";

// Pure: lines that do not parse are skipped; `skipped` counts them if given.
std::vector<Mapping> parse_maps(std::string_view text, std::size_t* skipped = nullptr);

Result<std::vector<Mapping>> read_maps(pid_t pid, std::size_t* skipped = nullptr);

// A path that opens the very file that is mapped: /proc/PID/map_files/START-END where that is allowed,
// else /proc/PID/root/PATH if its device and inode agree, else an error that says which of both failed.
Result<std::string> path_to_open(pid_t pid, const Mapping& mapping);

// The bytes of the vDSO, read from /proc/PID/mem.
Result<std::string> read_vdso(pid_t pid, const Mapping& vdso);

}  // namespace dwell
