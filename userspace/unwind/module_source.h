// SPDX-License-Identifier: Apache-2.0
// What is read of a program or library, all in one place, so that it can be read in another process: one that is
// confined, as files of the target's are dangerous to read.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "symbolizer/elf_file.h"
#include "userspace/base/result.h"
#include "userspace/unwind/unwind_table.h"

namespace dwell {

// A file by the name that opens it, or bytes that have no file (the vDSO).
struct ModuleSource {
  std::string path;
  std::string image;
};

struct ModuleFacts {
  std::uint16_t machine = 0;  // EM_*
  std::string build_id;
  std::vector<ElfSegment> segments;
};

Result<ModuleFacts> describe_module(const ModuleSource& source);
Result<UnwindTable> build_module_table(const ModuleSource& source, TableRows rows);

// In this process, whatever is set below.
Result<ModuleFacts> describe_module_here(const ModuleSource& source);
Result<UnwindTable> build_module_table_here(const ModuleSource& source, TableRows rows);

// Set once, before anything is read.
struct ModulesElsewhere {
  std::function<Result<ModuleFacts>(const ModuleSource&)> describe;
  std::function<Result<UnwindTable>(const ModuleSource&, TableRows)> build_table;
};
void set_modules_elsewhere(ModulesElsewhere elsewhere);

}  // namespace dwell
