// SPDX-License-Identifier: Apache-2.0
// UpgradeFinder: threads that wait to write a reader-writer lock which they have to read, as the code of their frames says
// (read_holds.h). It reads the files that the process has mapped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/process/process_memory.h"
#include "userspace/threads/read_holds.h"
#include "userspace/unwind/remote_unwinder.h"

namespace dwell {

class UpgradeFinder {
 public:
  UpgradeFinder(pid_t pid, std::vector<Mapping> mappings);
  ~UpgradeFinder();

  // `callers`: frames from the one that called the function which locks to write, outwards. The index of the one that has locked
  // the lock to read.
  std::optional<std::size_t> find(std::span<const RemoteFrame> callers, std::uint64_t lock);

 private:
  struct Module;
  Module* module_at(std::uint64_t address);
  std::optional<FrameCode> code_around(std::uint64_t returns_to);

  ProcessMemory memory_;
  std::vector<Mapping> mappings_;                            // in order
  std::map<std::string, std::unique_ptr<Module>> modules_;  // by path; null: not to be read
};

}  // namespace dwell
