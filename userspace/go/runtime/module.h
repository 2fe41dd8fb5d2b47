// SPDX-License-Identifier: Apache-2.0
// GoModule: a mapped file with Go in it, found without symbols: its function table, where it lies in memory,
// and the runtime's own description of it (moduledata).
//
// Sections are tried first; a program without section headers is searched for the table's header.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "symbolizer/elf_file.h"
#include "symbolizer/go_table.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"
#include "userspace/process/process_memory.h"

namespace dwell {

struct GoRange {
  std::uint64_t begin = 0, end = 0;
  bool contains(std::uint64_t address) const { return address >= begin && address < end; }
  std::uint64_t size() const { return end > begin ? end - begin : 0; }
};

struct GoModule {
  std::string path;       // as the target sees it
  std::string open_path;  // opens that very file, as long as the target lives
  std::string version;    // "go1.24.4"; "" if nothing tells
  std::shared_ptr<const ElfFile> elf;
  GoTable table;           // by addresses in the target
  std::uint64_t bias = 0;  // address in the target less the file's
  std::uint64_t moduledata = 0;
  GoRange text, data, bss;  // with pointers in them: what the collector looks at

  // The code of a function, from the file.
  std::string code_of(const GoRecord& function) const;
};

// Of all modules of a process the one that has a Go runtime. Not found is Exit::kUnsupported.
Result<GoModule> find_go_module(std::span<const Mapping> mappings, const ProcessMemory& memory);

// Whether a process is a Go program, though perhaps one that can't be read: built with too old a Go. False too where its
// memory may not be read.
bool has_go_code(pid_t pid);

}  // namespace dwell
