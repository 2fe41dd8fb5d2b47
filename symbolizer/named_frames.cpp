// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/named_frames.h"

#include <absl/container/flat_hash_map.h>
#include <fmt/core.h>

#include <utility>

namespace dwell {
namespace {

NamesElsewhere& elsewhere() {
  static NamesElsewhere elsewhere;
  return elsewhere;
}

class Texts {
 public:
  explicit Texts(std::vector<std::string>& all) : all_(all) {}
  std::uint32_t index_of(std::string_view text) {
    auto [found, fresh] = known_.try_emplace(text, static_cast<std::uint32_t>(all_.size()));
    if (fresh) all_.emplace_back(text);
    return found->second;
  }

 private:
  std::vector<std::string>& all_;
  absl::flat_hash_map<std::string_view, std::uint32_t> known_;  // views of the caller's
};

}  // namespace

void set_names_elsewhere(NamesElsewhere asked) { elsewhere() = std::move(asked); }
const NamesElsewhere& names_elsewhere() { return elsewhere(); }

NamedFrames named_frames(const SymbolizedModule& module) {
  NamedFrames result;
  result.report = module.report;
  result.counters = module.counters;
  Texts texts(result.texts);
  std::vector<std::uint32_t> first_of_part;
  for (const std::vector<ResolvedFrame>& part : module.frames) {
    first_of_part.push_back(static_cast<std::uint32_t>(result.frames.size()));
    for (const ResolvedFrame& frame : part)
      result.frames.push_back({texts.index_of(frame.function), texts.index_of(frame.system_name),
                               texts.index_of(frame.file), frame.line, frame.named, frame.inlined});
  }
  for (const SymbolizedModule::Chain& chain : module.chains)
    result.chains.push_back({first_of_part[chain.part] + chain.first, chain.count});
  return result;
}

SymbolizedModule symbolized(const NamedFrames& named) {
  SymbolizedModule result;
  result.report = named.report;
  result.counters = named.counters;
  std::vector<ResolvedFrame>& frames = result.frames.emplace_back();
  for (const NamedFrames::Frame& frame : named.frames)
    frames.push_back({named.texts[frame.function], named.texts[frame.system_name], named.texts[frame.file],
                      frame.line, frame.named, frame.inlined});
  for (const NamedFrames::Chain& chain : named.chains) result.chains.push_back({0, chain.first, chain.count});
  return result;
}

std::string fallback_name(const ModuleRef& module, std::uint64_t offset) {
  if (module.kind == CodeKind::kJit) return "[jit]";
  if (module.kind == CodeKind::kUnknown) return "[unknown]";
  std::string_view name = module.path;
  name = module.kind == CodeKind::kKernel ? "[kernel]" : name.substr(name.rfind('/') + 1);
  return name.empty() ? "[unknown]" : fmt::format("{}+{:#x}", name, offset);
}

NamedFrames unnamed_frames(const ModuleRef& module, std::span<const AddressQuery> queries, const Error& why) {
  NamedFrames result;
  Texts texts(result.texts);
  texts.index_of("");
  for (const AddressQuery& query : queries) {
    result.chains.push_back({static_cast<std::uint32_t>(result.frames.size()), 1});
    result.frames.push_back({static_cast<std::uint32_t>(result.texts.size()), 0, 0, 0, false, false});
    result.texts.push_back(fallback_name(module, query.offset));
  }
  result.counters.addresses = queries.size();
  result.counters.by_source[static_cast<int>(NameSource::kNone)] = queries.size();
  result.report.problem = why.what;
  result.report.hint = why.hint;
  return result;
}

}  // namespace dwell
