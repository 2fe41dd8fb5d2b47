// SPDX-License-Identifier: Apache-2.0
// ModuleTable: the files that the targets have mapped, each once, with its identity, as the recording names them.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "symbolizer/symbolizer.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/address_space.h"
#include "userspace/recording/writer.h"

namespace dwell {

class ModuleTable {
 public:
  explicit ModuleTable(RecordingWriter& writer) : writer_(writer) {}

  // The executable mappings of a process as ranges of modules. Files are opened once to read their build id.
  std::vector<CodeRange> code_of(pid_t pid, const std::vector<Mapping>& mappings);

  // A range of a module as the process would have it mapped.
  Mapping mapping_of(const CodeRange& range) const;

  // How to open a module now, whatever has become of its path and of the process.
  ModuleRef source_of(std::uint32_t module) const;

  // What identifies the program of a process, among whose mappings its executable file is: ProcessInfo::program. "": unknown.
  std::string program_of(pid_t pid, const std::vector<Mapping>& mappings);

  // The module of a mapped file; -1 if no process has mapped it as far as is known.
  std::int32_t find(std::uint64_t device, std::uint64_t inode) const;

 private:
  struct Source {
    pid_t pid = 0;
    UniqueFd file;           // stands for it: it may be deleted, or its process gone, when names are wanted
    std::string vdso_image;
    Mapping mapped = {};     // where it was seen first
    bool foreign_root = false;
    uid_t owner = ~0u;
  };
  std::uint32_t module_of(pid_t pid, const Mapping& mapping);
  std::uint32_t add(Module module, Source source);
  std::pair<Module, Source> open_file(pid_t pid, const Mapping& mapping) const;
  std::pair<Module, Source> read_image(pid_t pid, const Mapping& mapping) const;

  using FileKey = std::tuple<std::uint64_t, std::uint64_t>;  // device, inode
  RecordingWriter& writer_;
  std::map<FileKey, std::uint32_t> files_;
  std::map<std::uint32_t, Source> sources_;  // by module
};

}  // namespace dwell
