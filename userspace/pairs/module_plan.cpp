// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/module_plan.h"

#include <algorithm>

#include "bpf/pairs.h"
#include "userspace/probes/module_kind.h"

namespace dwell::pairs {
namespace {

bool is_one_of(const std::vector<PairFunction>& functions, const PairFunction& one) {
  return std::ranges::any_of(functions, [&](const PairFunction& other) { return &other == &one; });
}

dwell_probe_shape shape_of(const PairFunction& function, bool gives) {
  if (gives) return DWELL_SHAPE_GIVE;
  return function.from == ValueFrom::kArgument ? DWELL_SHAPE_TAKE_ARGUMENT : DWELL_SHAPE_TAKE_RESULT;
}

unsigned span_of(const PairSpec& spec, std::uint16_t pair, const PairFunction& function, bool is_go) {
  int argument = is_go ? std::max(function.argument, 1) : function.argument;
  return dwell_pair_span(pair, static_cast<unsigned>(argument), function.from == ValueFrom::kStored,
                         spec.numbers, static_cast<unsigned>(spec.size_argument),
                         function.from == ValueFrom::kRegained);
}

// Of what a program needs to throw, or to unwind a panic.
bool defines_unwinder(const ElfFile& elf) {
  return std::ranges::any_of(elf.symbols(), [](const ElfSymbol& symbol) { return symbol.defined && symbol.name == "_Unwind_RaiseException"; });
}

}  // namespace

Result<PairModule> find_pairs(pid_t pid, const Mapping& mapping, const std::vector<PairSpec>& specs) {
  PairModule result;
  result.module.path = mapping.path;
  result.module.device = mapping.device();
  result.module.inode = mapping.inode;
  Result<std::string> path = path_to_open(pid, mapping);
  if (!path) return path.error();
  Result<ElfFile> opened = ElfFile::open(*path);
  if (!opened) return opened.error();
  auto elf = std::make_shared<const ElfFile>(std::move(*opened));
  result.module.open_path = std::move(*path);
  result.unwinds = defines_unwinder(*elf);
  std::vector<const PairFunction*> wanted;
  for (const PairSpec& spec : specs)
    for (const auto* side : {&spec.takes, &spec.gives})
      for (const PairFunction& function : *side)
        if (is_meant(function.file, mapping.path)) wanted.push_back(&function);
  if (wanted.empty() || is_bare_loader(pid, mapping, *elf)) return result;
  std::optional<ElfFile> more = hidden_symbols(*elf);
  result.found = functions_in(*elf, more ? &*more : nullptr, wanted);
  result.copies = copies_in(*elf, more ? &*more : nullptr, wanted);
  find_go_functions(elf, wanted, result.found, result.copies);
  return result;
}

PairRole role_of(const std::vector<PairSpec>& specs, const PairFunction& function) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    auto pair = static_cast<std::uint16_t>(i);
    if (is_one_of(specs[i].takes, function)) return {pair, false};
    if (is_one_of(specs[i].gives, function)) return {pair, true};
  }
  return {};
}

std::string why_not_followed(const PairSpec& spec, const FoundFunction& function, bool gives) {
  return function.refusal.empty() ? refusal_of(spec, *function.wanted, gives, function.go) : function.refusal;
}

std::vector<PlannedProbe> plan_pairs(PairModule& module, const std::vector<PairSpec>& specs, bool may_unwind, const Calibration& calibration,
                                     const PlanOptions& options) {
  std::vector<std::size_t> givers(specs.size());
  for (const FoundFunction& one : module.found)
    if (PairRole role = role_of(specs, *one.wanted); role.gives) ++givers[role.pair];
  for (const FoundFunction& one : module.found) {
    PairRole role = role_of(specs, *one.wanted);
    module.module.functions.push_back({.name = one.name,
                                       .aliases = {},
                                       .family = AllocFamily::kOther,
                                       .shape = shape_of(*one.wanted, role.gives),
                                       .vaddr = one.vaddr,
                                       .size = one.size,
                                       .file_offset = one.file_offset,
                                       .throws = may_unwind || one.unwinds,
                                       .nests = role.gives && (givers[role.pair] > 1 || specs[role.pair].gives.size() > 1),
                                       .go = one.go});
  }
  std::vector<PlannedProbe> probes = plan_module(module.module, calibration, options);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const PairFunction& wanted = *module.found[i].wanted;
    PairRole role = role_of(specs, wanted);
    bool is_go = module.found[i].go;
    unsigned span = span_of(specs[role.pair], role.pair, wanted, is_go);
    for (ProbeSite::Candidate& candidate : probes[i].site.candidates) candidate.cookie = dwell_probe_with_span(candidate.cookie, span);
    if (is_go)
      for (ProbeSite::Candidate& exit : probes[i].site.exits) exit.cookie = dwell_probe_with_span(exit.cookie, span);
    if (std::string why = why_not_followed(specs[role.pair], module.found[i], role.gives); !why.empty()) probes[i].refusal = why;
  }
  return probes;
}

}  // namespace dwell::pairs
