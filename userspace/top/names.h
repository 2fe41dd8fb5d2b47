// SPDX-License-Identifier: Apache-2.0
// Names: names for the addresses of a recording that goes on, each looked for once.
#pragma once

#include <sys/types.h>

#include <vector>

#include "symbolizer/symbolizer.h"
#include "userspace/recording/model.h"

namespace dwell::top {

class Names {
 public:
  Names();
  // Gives the recording what is known, and looks for what has come since.
  void add_to(Recording& recording);
  const std::vector<LocationSymbol>& known() const { return symbols_; }

 private:
  ModuleRef source_of(const Module& module) const;

  std::vector<pid_t> pids_;  // of the recording, that still run
  Symbolizer symbolizer_;
  std::vector<LocationSymbol> symbols_;  // by location
};

}  // namespace dwell::top
