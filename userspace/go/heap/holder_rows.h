// SPDX-License-Identifier: Apache-2.0
// Who holds the heap, as it is shown: global variables by name or by the lines that use them, frames of
// goroutines by their function and line, timers, finalizers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/go/heap/holders.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct GoHolderRow {
  GoHolderKind kind = GoHolderKind::kGlobal;
  std::string name;           // of the variable; "": the program has no symbols
  std::uint64_t address = 0;  // of the variable
  GoCall place;  // where the variable is used, or where the frame stands; of no function: it is not known
  bool fills = false;  // there something is put into a map, or appended to a slice
  std::uint64_t bytes = 0, objects = 0;
  std::uint64_t map_length = 0, slice_length = 0;
  std::uint64_t goroutines = 0, goroutine = 0;  // of frames: how many, and the number of one
};

std::vector<GoHolderRow> holder_rows(const GoRuntime& runtime, const std::vector<GoHolder>& holders);

// Pure. `reached_bytes`: of all that something leads to.
std::string holders_text(const std::vector<GoHolderRow>& rows, std::uint64_t reached_bytes, std::size_t most,
                         const TextStyle& style);
Json holders_json(const std::vector<GoHolderRow>& rows);
// "the frame of main.collect (worker.go:33) of goroutine 7"
std::string holder_text(const GoHolderRow& row);

}  // namespace dwell
