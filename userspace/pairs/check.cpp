// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "symbolizer/demangle.h"
#include "symbolizer/go_table.h"
#include "userspace/base/text.h"
#include "userspace/pairs/module_plan.h"

namespace dwell::pairs {
namespace {

constexpr std::size_t kMostNames = 100'000;  // that a misspelled one is compared with

struct PairChecker {
  std::map<const PairFunction*, std::set<std::string>> strong;  // files with a definition of their own
  std::set<const PairFunction*> found;
  std::map<const PairFunction*, FoundCopy> copies;  // made by the compiler
  std::map<const PairFunction*, FoundFunction> of_go, others;  // one of each
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  std::vector<std::string> paths;   // of all modules
  std::vector<std::string> to_open;

  void look_at(pid_t pid, const Mapping& mapping, const std::vector<PairSpec>& specs) {
    if (!mapping.executable || !mapping.is_file() || !seen.emplace(mapping.device(), mapping.inode).second) return;
    Result<PairModule> module = find_pairs(pid, mapping, specs);
    if (!module) return;
    paths.push_back(mapping.path);
    to_open.push_back(module->module.open_path);
    for (const FoundCopy& copy : module->copies) copies[copy.wanted] = copy;
    for (const FoundFunction& one : module->found) {
      FoundFunction& known = (one.go ? of_go : others)[one.wanted];
      if (!known.wanted || one.refusal.empty()) known = one;
      found.insert(one.wanted);
      if (!one.weak) strong[one.wanted].insert(mapping.path);
    }
  }

  bool may_come_later(const PairFunction& function) const {
    return !function.file.empty() && std::ranges::none_of(paths, [&](const std::string& path) { return is_meant(function.file, path); });
  }

  std::string nearest(const PairFunction& function) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < paths.size() && names.size() < kMostNames; ++i) {
      Result<ElfFile> elf = ElfFile::open(to_open[i]);
      if (!elf || !is_meant(function.file, paths[i])) continue;
      for (const ElfSymbol& symbol : elf->symbols())
        if (symbol.defined && symbol.size && names.size() < kMostNames) names.push_back(demangle(symbol.name, DemangleWidth::kShort));
      GoTable table = GoTable::read(*elf);
      for (std::size_t number = 0; number < table.size() && names.size() < kMostNames; ++number)
        if (std::optional<GoRecord> record = table.record(number)) names.emplace_back(record->name);
    }
    return nearest_of(function.name, names);
  }

  static Error no_more_than(const PairSpec& spec, const PairFunction& function, const FoundCopy& copy) {
    if (!copy.inside.empty())
      return Error{fmt::format("--pair {}: '{}' is inlined wherever it is called, as in {}", spec.name, copy.name, copy.inside),
                   "mark it //go:noinline and build again, or name a function that calls it", Exit::kUsage};
    return Error{fmt::format("--pair {}: of '{}' there is only {}, a copy that the compiler made", spec.name, function.name, copy.name),
                 "its arguments may be in other places: name a function that calls it", Exit::kUsage};
  }

  // In a form that only functions of another language can have.
  Result<void> check_form(const PairSpec& spec, const PairFunction& function, bool gives) const {
    for (const auto* found : {&others, &of_go}) {
      auto one = found->find(&function);
      if (one == found->end()) continue;
      std::string why = why_not_followed(spec, one->second, gives);
      if (!why.empty()) return Error{fmt::format("--pair {}: '{}': {}", spec.name, one->second.name, why), "docs/pairs.md tells what can be followed", Exit::kUsage};
    }
    return {};
  }

  Result<void> check(const PairSpec& spec, const PairFunction& function, bool gives) const {
    if (!found.contains(&function)) {
      if (may_come_later(function)) return {};
      if (auto copy = copies.find(&function); copy != copies.end()) return no_more_than(spec, function, copy->second);
      std::string like = nearest(function);
      return Error{fmt::format("--pair {}: no function '{}' in {}", spec.name, function.name, function.file.empty() ? "the program and its libraries" : function.file),
                   like.empty() ? "it may be inlined everywhere, or its file stripped; in a library that is loaded later: LIBRARY.so:FUNCTION"
                                : "did you mean " + like + "?",
                   Exit::kUsage};
    }
    if (Result<void> fits = check_form(spec, function, gives); !fits) return fits;
    auto files = strong.find(&function);
    if (files == strong.end() || files->second.size() < 2) return {};
    std::string list;
    for (const std::string& path : files->second) list += fmt::format("{}{}:{}", list.empty() ? "" : ", ", path, function.name);
    return Error{fmt::format("--pair {}: '{}' is in several files", spec.name, function.name), "name one: " + list, Exit::kUsage};
  }
};

}  // namespace

Result<void> check_pairs(const std::vector<pid_t>& pids, const std::vector<PairSpec>& specs) {
  PairChecker checker;
  for (pid_t pid : pids) {
    Result<std::vector<Mapping>> mappings = read_maps(static_cast<std::uint32_t>(pid));
    if (!mappings) continue;
    for (const Mapping& mapping : *mappings) checker.look_at(pid, mapping, specs);
  }
  if (checker.paths.empty()) return {};  // they are ending, or may not be looked at: attaching says so
  for (const PairSpec& spec : specs)
    for (const auto* side : {&spec.takes, &spec.gives})
      for (const PairFunction& function : *side)
        if (Result<void> fits = checker.check(spec, function, side == &spec.gives); !fits) return fits;
  return {};
}

}  // namespace dwell::pairs
