// SPDX-License-Identifier: Apache-2.0
// Where debug information may lie outside of a program: by build id, by debug link, in a dwz supplementary file,
// in split units, on a debuginfod server. On this machine, in a container's own file system, or under a sysroot.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"

namespace dwell {

struct DebugSearch {
  // Put in front of every path, in this order: a container's "/proc/PID/root", a sysroot, "" for this machine.
  std::vector<std::string> roots = {""};
  std::vector<std::string> debug_dirs = {"/usr/lib/debug"};
  // Searched as they are, without a root: what the user gave.
  std::vector<std::string> extra_dirs;
  bool debuginfod = false;
  // The program's root is not ours: a name that it, or its debug information, chose is looked up in its own only.
  bool foreign_root = false;
};

struct DebugFile {
  std::shared_ptr<const ElfFile> elf;  // null: not found
  std::string problem;                 // what was looked at and refused
};

// The separate debug file of `elf`, or of a build id alone (`elf` null). `path` is where the program says it lies.
DebugFile find_debug_file(const ElfFile* elf, std::string_view build_id, std::string_view path,
                          const DebugSearch& search);

// The file that .gnu_debugaltlink names. Its build id must be the one that is written there.
DebugFile find_supplementary(const ElfFile& debug, std::string_view path, const DebugSearch& search);

std::shared_ptr<const ElfFile> find_split_unit(std::string_view name, std::string_view directory,
                                               std::string_view program, const DebugSearch& search);
std::shared_ptr<const ElfFile> find_split_package(std::string_view program, std::string_view debug_file,
                                                  const DebugSearch& search);

// CRC-32 as .gnu_debuglink has it, of a whole file.
Result<std::uint32_t> debuglink_crc(const ElfFile& elf);

}  // namespace dwell
