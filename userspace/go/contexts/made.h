// SPDX-License-Identifier: Apache-2.0
// Contexts of Go programs by the call site that made them: figures, not what they mean.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

struct GoContextFacts {
  StackId stack = StackId::kUnknown;
  ProcessSlot process = 0;
  std::uint32_t kind = 0, parents = 0;  // indices into GoContexts::words
  std::uint64_t made = 0, cancelled = 0;
  std::uint64_t collected = 0;                 // freed without being cancelled
  std::uint64_t alive = 0;                     // neither
  std::uint64_t oldest_ns = 0;                 // of those that are alive, at the end
  std::uint64_t lived_ns = 0, longest_ns = 0;  // of those that were cancelled: together, and at most
  bool operator==(const GoContextFacts&) const = default;
};

struct GoContexts {
  std::uint64_t time_ns = 0, duration_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t probe_hits = 0, trap_ns = 0;
  std::uint64_t bpf_ns = 0;  // or kTimeNotKnown
  std::uint64_t lost = 0;          // that are not counted
  std::uint64_t unknown = 0;       // cancelled, and not seen to be made
  std::vector<std::string> words;  // "deadline", "cancel < background"
  std::vector<GoContextFacts> sites;
  std::vector<std::string> notes;
  bool operator==(const GoContexts&) const = default;
};

}  // namespace dwell
