// SPDX-License-Identifier: Apache-2.0
// From the locations of a recording to names, with the symbolizer.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "symbolizer/symbolizer.h"
#include "userspace/recording/model.h"

namespace dwell {

// How a module can be opened here: the live process that has mapped it, its bytes, a path.
using ModuleOpener = std::function<ModuleRef(const Module&)>;

struct ModuleNames {  // what was found for one module
  Module module;
  ModuleReport report;
  SymbolCounters counters;
};

struct ResolvedSymbols {
  std::vector<LocationSymbol> symbols;  // by location
  std::vector<ModuleNames> modules;     // those that locations lie in
};

// `previous` are the names known so far. They are kept where nothing better is found: code that was made at
// run time, or whose file is not here.
ResolvedSymbols resolve_symbols(std::span<const Module> modules, std::span<const Location> locations,
                                std::span<const LocationSymbol> previous, const ModuleOpener& opener,
                                Symbolizer& symbolizer, const std::function<bool(const Module&)>& wanted);

}  // namespace dwell
