// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/symbols.h"

#include <string>

namespace dwell {
namespace {

LocationSymbol owned(std::span<const ResolvedFrame> chain) {
  LocationSymbol symbol;
  for (const ResolvedFrame& frame : chain) {
    if (!frame.named) return {};
    symbol.frames.push_back({std::string(frame.function), std::string(frame.system_name), std::string(frame.file), frame.line});
  }
  return symbol;
}

}  // namespace

ResolvedSymbols resolve_symbols(std::span<const Module> modules, std::span<const Location> locations,
                                std::span<const LocationSymbol> previous, const ModuleOpener& opener,
                                Symbolizer& symbolizer, const std::function<bool(const Module&)>& wanted) {
  ResolvedSymbols result;
  result.symbols.assign(previous.begin(), previous.end());
  result.symbols.resize(locations.size());
  std::vector<std::vector<std::uint32_t>> by_module(modules.size());
  for (std::uint32_t i = 0; i < locations.size(); ++i) {
    std::int32_t module = locations[i].module;
    if (module >= 0 && static_cast<std::size_t>(module) < modules.size()) by_module[module].push_back(i);
  }
  for (std::size_t m = 0; m < modules.size(); ++m) {
    if (by_module[m].empty() || !wanted(modules[m])) continue;
    std::vector<AddressQuery> queries;
    for (std::uint32_t location : by_module[m])
      queries.push_back({locations[location].offset, locations[location].return_address});
    SymbolizedModule found = symbolizer.symbolize(opener(modules[m]), queries);
    for (std::size_t i = 0; i < queries.size(); ++i) {
      LocationSymbol symbol = owned(found.chain(i));
      LocationSymbol& known = result.symbols[by_module[m][i]];
      // Names without the inlined calls that are known already are no better.
      if (!symbol.frames.empty() && symbol.frames.size() >= known.frames.size()) known = std::move(symbol);
    }
    result.modules.push_back({modules[m], found.report, found.counters});
  }
  return result;
}

}  // namespace dwell
