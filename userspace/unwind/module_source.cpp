// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/module_source.h"

#include <utility>

namespace dwell {
namespace {

ModulesElsewhere& elsewhere() {
  static ModulesElsewhere elsewhere;
  return elsewhere;
}

Result<ElfFile> open(const ModuleSource& source) {
  return source.path.empty() ? ElfFile::from_bytes(source.image, "[vdso]") : ElfFile::open(source.path);
}

}  // namespace

void set_modules_elsewhere(ModulesElsewhere asked) { elsewhere() = std::move(asked); }

Result<ModuleFacts> describe_module(const ModuleSource& source) {
  return elsewhere().describe ? elsewhere().describe(source) : describe_module_here(source);
}

Result<UnwindTable> build_module_table(const ModuleSource& source, TableRows rows) {
  return elsewhere().build_table ? elsewhere().build_table(source, rows) : build_module_table_here(source, rows);
}

Result<ModuleFacts> describe_module_here(const ModuleSource& source) {
  Result<ElfFile> elf = open(source);
  if (!elf) return elf.error();
  return ModuleFacts{elf->machine(), elf->build_id(), {elf->segments().begin(), elf->segments().end()}};
}

Result<UnwindTable> build_module_table_here(const ModuleSource& source, TableRows rows) {
  Result<ElfFile> elf = open(source);
  if (!elf) return elf.error();
  return build_unwind_table(*elf, rows);
}

}  // namespace dwell
