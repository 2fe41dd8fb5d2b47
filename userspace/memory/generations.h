// SPDX-License-Identifier: Apache-2.0
// Generations: what was allocated between the marks of a recording, and what of each is still there at the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct GenerationSite {
  ReportStack stack;
  double bytes = 0, blocks = 0;  // of this generation, still there
};

struct Generation {
  std::uint64_t from_ns = 0, to_ns = 0;  // since the recording began; from one mark to the next
  double allocated_bytes = 0, allocations = 0;
  double retained_bytes = 0, retained_blocks = 0;
  std::vector<GenerationSite> sites = {};  // those that hold most of it, the largest first
};

struct Generations {
  std::vector<Generation> all;  // the oldest first; empty: there are no marks
  std::string not_known;        // why survivors are not known; "" if they are
};

// Of the heap and mapped memory. `most_sites`: of each generation.
Generations generations_of(RecordingRef recording, std::size_t most_sites = 3);

std::string generations_text(const Generations& generations, const TextStyle& style);  // "" without marks
Json generations_json(const Generations& generations);

}  // namespace dwell
