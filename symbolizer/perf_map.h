// SPDX-License-Identifier: Apache-2.0
// Names that exist only while a process runs: code made by a JIT compiler (/tmp/perf-PID.map, written by the
// process itself) and the kernel (/proc/kallsyms).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "userspace/base/open_regular.h"
#include "userspace/base/result.h"

namespace dwell {

// Addresses with names. A later line takes the place of what it overlaps: JIT compilers reuse their memory.
class AddressMap {
 public:
  struct Entry {
    std::uint64_t end;
    std::string name;
  };
  void add(std::uint64_t start, std::uint64_t end, std::string_view name);
  const Entry* find(std::uint64_t address) const;
  std::size_t size() const { return entries_.size(); }

 private:
  std::map<std::uint64_t, Entry> entries_;
};

// "START SIZE NAME" in hexadecimal; lines that are not so are skipped, and counted if `skipped` is given.
AddressMap parse_perf_map(std::string_view text, std::size_t* skipped = nullptr);

inline constexpr uid_t kSameAsOurs = ~0u;

// The map of a process, found under the number that it has in its own PID namespace, in its own mount namespace.
// Only a file of root's or of the process's owner, who is asked of /proc; `owner` is who it was if it has ended.
Result<AddressMap> read_perf_map(pid_t pid, uid_t owner = kSameAsOurs, std::size_t* skipped = nullptr);

// Changes when the map has changed; 0 if there is none. Runtimes go on writing while they run.
std::uint64_t perf_map_version(pid_t pid, uid_t owner = kSameAsOurs);

// Functions of the kernel and its modules ("name [module]"); each ends where the next begins.
AddressMap parse_kallsyms(std::string_view text);
Result<AddressMap> read_kallsyms();

// How this process opens the two; one that may open nothing has its file_opener() do it.
Result<RegularFile> open_perf_map(pid_t pid, uid_t owner);
Result<RegularFile> open_kallsyms();

}  // namespace dwell
