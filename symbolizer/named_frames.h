// SPDX-License-Identifier: Apache-2.0
// NamedFrames: what a Symbolizer found for one module, with texts of its own, so that it can be found in another
// process: one that is confined, as files of the target's are dangerous to read.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "symbolizer/symbolizer.h"

namespace dwell {

struct NamedFrames {
  struct Frame {
    std::uint32_t function = 0, system_name = 0, file = 0;  // indexes of texts
    std::uint32_t line = 0;
    bool named = false, inlined = false;
  };
  struct Chain {
    std::uint32_t first = 0, count = 0;  // of frames; never empty
  };
  std::vector<std::string> texts;
  std::vector<Frame> frames;
  std::vector<Chain> chains;  // one for each query
  ModuleReport report;
  SymbolCounters counters;
};

NamedFrames named_frames(const SymbolizedModule& module);
// The views lead into `named`, which must outlive them and not move.
SymbolizedModule symbolized(const NamedFrames& named);

// What is said when nothing could be looked up.
NamedFrames unnamed_frames(const ModuleRef& module, std::span<const AddressQuery> queries, const Error& why);
std::string fallback_name(const ModuleRef& module, std::uint64_t offset);

// Set once, before any Symbolizer is used: all of them ask there.
using NamesElsewhere = std::function<Result<NamedFrames>(const SymbolizerOptions&, const ModuleRef&,
                                                         std::span<const AddressQuery>)>;
void set_names_elsewhere(NamesElsewhere elsewhere);
const NamesElsewhere& names_elsewhere();

}  // namespace dwell
