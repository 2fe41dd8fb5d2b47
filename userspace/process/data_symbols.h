// SPDX-License-Identifier: Apache-2.0
// DataSymbols: what lies at an address that is no code: a global variable, the heap, a thread's stack.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbolizer/elf_file.h"
#include "symbolizer/interval_map.h"
#include "symbolizer/proc_maps.h"

namespace dwell {

// A global variable, where it lies in the process.
struct DataObject {
  std::string name;  // "sessions", "environ of libc.so.6"
  std::uint64_t start = 0, size = 0;
};

class DataSymbols {
 public:
  DataSymbols(pid_t pid, std::vector<Mapping> mappings) : pid_(pid), mappings_(std::move(mappings)) {}

  // "queue_lock", "queue+16 of libapp.so", "at 0x7f.. on the heap".
  std::string describe(std::uint64_t address);
  // The global variable around an address; none: there is no symbol for it.
  std::optional<DataObject> object_around(std::uint64_t address);
  // The same as an offset in its module, "libapp.so+0x4010"; "" outside of modules.
  std::string place_in_module(std::uint64_t address);
  // Memory that other processes can have mapped too.
  bool is_shared(std::uint64_t address) const;
  const Mapping* mapping_of(std::uint64_t address) const;

 private:
  struct Module {
    std::string name;
    bool is_library = false;
    std::uint64_t bias = 0;
    std::shared_ptr<const ElfFile> elf, debug;
    std::vector<const ElfSymbol*> objects;  // that have a size, of both files
    IntervalMap by_address;
  };
  static void add_objects(const ElfFile* elf, Module& module);
  const Module* module_around(std::uint64_t address);
  const Module* module_of(const Mapping& mapping);

  pid_t pid_;
  std::vector<Mapping> mappings_;
  std::map<std::string, std::unique_ptr<Module>> modules_;  // by path; null: it could not be opened
};

}  // namespace dwell
