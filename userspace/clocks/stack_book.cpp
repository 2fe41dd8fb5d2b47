// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/stack_book.h"

#include <algorithm>
#include <tuple>

#include "userspace/base/open_regular.h"

namespace dwell {
namespace {

const char* why_incomplete(dwell_stack_end end) {
  switch (end) {
    case DWELL_STACK_COMPLETE:
    case DWELL_STACK_FOLDED:
      return "";
    case DWELL_STACK_TOO_DEEP:
      return "deeper than 256 frames";
    case DWELL_STACK_NO_MAPPING:
      return "leads into code that is in no known file";
    case DWELL_STACK_NO_RULE:
      return "no unwind information, and no frame pointer";
    case DWELL_STACK_UNSUPPORTED:
      return "unwind information that is not understood";
    case DWELL_STACK_READ_FAILED:
      return "the stack's memory could not be read";
    case DWELL_STACK_NOT_GROWING:
      return "a broken chain of frames";
    case DWELL_STACK_ASYNC:
      return "below a signal frame";
    case DWELL_STACK_TABLE_PENDING:
      return "code that arrived a moment ago";
    case DWELL_STACK_ENDS:
      break;
  }
  return "unknown reason";
}

}  // namespace

bool StackBook::learn(const void* data, std::size_t size) {
  const auto* record = static_cast<const dwell_stack_record*>(data);
  if (size < sizeof *record || record->h.type != DWELL_STACK || record->count > DWELL_MAX_FRAMES ||
      size < sizeof *record + record->count * sizeof(std::uint64_t))
    return false;
  Walked& walked = stacks_[record->stack];
  walked.end = static_cast<dwell_stack_end>(record->end);
  walked.pcs.assign(record->pcs, record->pcs + record->count);
  walked.exact.resize(record->count);
  for (std::uint32_t i = 0; i < record->count; ++i) walked.exact[i] = record->exact[i / 64] >> (i % 64) & 1;
  return true;
}

std::span<const std::uint64_t> StackBook::pcs(std::uint64_t stack) const {
  auto found = stacks_.find(stack);
  return found == stacks_.end() ? std::span<const std::uint64_t>{} : found->second.pcs;
}

StackId StackBook::id_of(std::uint64_t identity) {
  auto [known, fresh] = ids_.try_emplace(identity, static_cast<StackId>(identities_.size()));
  if (fresh) identities_.push_back(identity);
  return known->second;
}

const NamedStack& StackBook::name(StackId id) {
  std::uint64_t identity = identities_[static_cast<std::size_t>(id)];
  if (!names_.contains(identity)) names_ = name_all(identities_);
  return names_.at(identity);
}

const Mapping* StackBook::mapping_of(std::uint64_t pc) const {
  auto after =
      std::upper_bound(mappings_.begin(), mappings_.end(), pc,
                       [](std::uint64_t address, const Mapping& mapping) { return address < mapping.start; });
  if (after == mappings_.begin() || (after - 1)->end <= pc) return nullptr;
  return &*(after - 1);
}

ModuleRef StackBook::module_of(const Mapping& mapping) const {
  ModuleRef ref;
  ref.path = mapping.path;
  ref.pid = pid_;
  ref.foreign_root = !has_our_root(pid_);
  if (mapping.is_file()) {
    if (Result<std::string> path = path_to_open(pid_, mapping)) ref.open_path = *path;
  } else if (mapping.path == "[vdso]") {
    ref.kind = CodeKind::kVdso;
    if (Result<std::string> image = read_vdso(pid_, mapping)) ref.image = std::move(*image);
  } else {
    ref.kind = CodeKind::kJit;
  }
  return ref;
}

std::map<std::uint64_t, NamedStack> StackBook::name_all(std::span<const std::uint64_t> stacks) const {
  struct Asked {
    const Mapping* mapping = nullptr;
    std::vector<AddressQuery> queries;
  };
  using FileKey = std::tuple<std::uint64_t, std::uint64_t, std::string>;
  struct Place {
    FileKey module;
    std::size_t query;
  };
  std::map<FileKey, Asked> modules;
  std::map<std::uint64_t, std::vector<Place>> places;
  for (std::uint64_t stack : stacks) {
    auto found = stacks_.find(stack);
    if (found == stacks_.end() || places.contains(stack)) continue;
    for (std::size_t i = 0; i < found->second.pcs.size(); ++i) {
      std::uint64_t pc = found->second.pcs[i];
      const Mapping* mapping = mapping_of(found->second.exact[i] ? pc : pc - 1);
      FileKey key = mapping ? FileKey{mapping->device(), mapping->inode, mapping->path} : FileKey{};
      Asked& module = modules[key];
      if (!module.mapping) module.mapping = mapping;
      bool in_file = mapping && (mapping->is_file() || mapping->path == "[vdso]");
      places[stack].push_back({key, module.queries.size()});
      module.queries.push_back(
          {in_file ? pc - mapping->start + mapping->file_offset : pc, !found->second.exact[i]});
    }
  }
  SymbolizerOptions options;
  options.demangle = DemangleWidth::kShort;
  Symbolizer symbolizer(options);
  std::map<FileKey, SymbolizedModule> named;
  for (const auto& [key, module] : modules) {
    ModuleRef ref;
    ref.kind = CodeKind::kUnknown;
    if (module.mapping) ref = module_of(*module.mapping);
    named.emplace(key, symbolizer.symbolize(ref, module.queries));
  }
  std::map<std::uint64_t, NamedStack> result;
  for (std::uint64_t stack : stacks) {
    auto [at, fresh] = result.try_emplace(stack);
    if (!fresh) continue;
    NamedStack& one = at->second;
    auto found = stacks_.find(stack);
    if (found == stacks_.end()) {
      one.incomplete = "the stack was lost";
      continue;
    }
    one.incomplete = why_incomplete(found->second.end);
    for (const Place& place : places[stack]) {
      const AddressQuery& query = modules[place.module].queries[place.query];
      for (const ResolvedFrame& frame : named.at(place.module).chain(place.query))
        one.frames.push_back({std::string(frame.function), std::string(frame.file), frame.line,
                              std::get<2>(place.module), query.offset, frame.named, frame.inlined});
    }
  }
  return result;
}

}  // namespace dwell
