// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/modules.h"

#include <fmt/core.h>
#include <unistd.h>

#include "userspace/base/living_thread.h"
#include "userspace/base/open_regular.h"
#include "userspace/process/process.h"
#include "userspace/unwind/module_source.h"

namespace dwell {

std::vector<CodeRange> ModuleTable::code_of(pid_t pid, const std::vector<Mapping>& mappings) {
  std::vector<CodeRange> ranges;
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable) continue;
    std::uint32_t module = module_of(pid, mapping);
    bool generated = writer_.modules()[module].kind == ModuleKind::kJit;
    ranges.push_back({mapping.start, mapping.end, generated ? mapping.start : mapping.file_offset, module});
  }
  return ranges;
}

std::string ModuleTable::program_of(pid_t pid, const std::vector<Mapping>& mappings) {
  char path[4096];
  ssize_t size = ::readlink(fmt::format("/proc/{}/exe", living_thread(pid)).c_str(), path, sizeof path);
  std::string_view program(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file() || mapping.path != program) continue;
    const Module& module = writer_.modules()[module_of(pid, mapping)];
    if (!module.build_id.empty()) return module.build_id;
    return fmt::format("{:x}:{}:{}", mapping.device(), mapping.inode, mapping.path);
  }
  return "";
}

std::int32_t ModuleTable::find(std::uint64_t device, std::uint64_t inode) const {
  auto found = files_.find({device, inode});
  return found == files_.end() ? -1 : static_cast<std::int32_t>(found->second);
}

Mapping ModuleTable::mapping_of(const CodeRange& range) const {
  Mapping mapping = {};
  if (auto source = sources_.find(range.module); source != sources_.end()) mapping = source->second.mapped;
  mapping.start = range.start;
  mapping.end = range.end;
  mapping.file_offset = mapping.is_file() ? range.file_offset : 0;
  mapping.executable = true;
  return mapping;
}

ModuleRef ModuleTable::source_of(std::uint32_t module) const {
  const Module& described = writer_.modules()[module];
  ModuleRef ref;
  ref.path = described.path;
  ref.build_id = described.build_id;
  if (described.kind == ModuleKind::kVdso) ref.kind = CodeKind::kVdso;
  if (described.kind == ModuleKind::kJit) ref.kind = CodeKind::kJit;
  if (described.kind == ModuleKind::kKernel) ref.kind = CodeKind::kKernel;
  auto source = sources_.find(module);
  if (source == sources_.end()) return ref;
  ref.pid = source->second.pid;
  ref.image = source->second.vdso_image;
  ref.foreign_root = source->second.foreign_root;
  ref.owner = source->second.owner;
  if (source->second.file.valid())
    ref.open_path = fmt::format("/proc/{}/fd/{}", ::getpid(), source->second.file.get());
  return ref;
}

std::uint32_t ModuleTable::add(Module module, Source source) {
  std::uint32_t index = writer_.add_module(module);
  sources_.try_emplace(index, std::move(source));
  return index;
}

std::uint32_t ModuleTable::module_of(pid_t pid, const Mapping& mapping) {
  if (!mapping.is_file()) {
    auto [module, source] = read_image(pid, mapping);
    return add(std::move(module), std::move(source));
  }
  FileKey key{mapping.device(), mapping.inode};
  auto known = files_.find(key);
  if (known != files_.end()) return known->second;
  auto [module, source] = open_file(pid, mapping);
  return files_[key] = add(std::move(module), std::move(source));
}

std::pair<Module, ModuleTable::Source> ModuleTable::open_file(pid_t pid, const Mapping& mapping) const {
  Module module;
  module.path = mapping.path;
  Source source{pid, {}, {}, mapping, !has_our_root(pid), owner_of(pid)};
  Result<std::string> path = path_to_open(pid, mapping);
  if (!path) return {module, std::move(source)};
  if (Result<FilePointer> file = point_at_regular(*path)) {
    module.size = static_cast<std::uint64_t>(file->status.st_size);
    source.file = std::move(file->fd);
  }
  Result<ModuleFacts> facts = describe_module({*path, {}});
  if (!facts && (path = path_to_open(pid, mapping))) facts = describe_module({*path, {}});  // unmapped since: by its name
  if (!facts && mapping.path.starts_with(kMemfd)) module.kind = ModuleKind::kJit;
  if (facts) {
    module.build_id = facts->build_id;
    for (const ElfSegment& segment : facts->segments) {
      if (segment.executable) module.code.push_back({segment.file_offset, segment.file_size, segment.vaddr});
    }
  }
  return {module, std::move(source)};
}

std::pair<Module, ModuleTable::Source> ModuleTable::read_image(pid_t pid, const Mapping& mapping) const {
  Module module;
  module.path = mapping.path;
  Source source{pid, {}, {}, mapping, !has_our_root(pid), owner_of(pid)};
  if (mapping.path == "[vdso]") {
    module.kind = ModuleKind::kVdso;
    if (Result<std::string> image = read_vdso(pid, mapping)) source.vdso_image = std::move(*image);
    if (Result<ModuleFacts> facts = describe_module({{}, source.vdso_image})) module.build_id = facts->build_id;
    return {module, std::move(source)};
  }
  // Code without a file was made at run time; a runtime that says what it made leaves /tmp/perf-PID.map.
  module.kind = ModuleKind::kJit;
  if (module.path.empty()) module.path = fmt::format("[jit of {}]", pid);
  return {module, std::move(source)};
}

}  // namespace dwell
