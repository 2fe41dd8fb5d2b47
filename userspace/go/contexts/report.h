// SPDX-License-Identifier: Apache-2.0
// ContextReport: the contexts of a Go program that are not cancelled, those alike merged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/contexts/contexts.h"

namespace dwell {

struct GoContextGroup {
  GoContextKind kind = GoContextKind::kOther;
  std::string parents;  // "deadline < cancel < background"
  bool has_parent = false;
  std::uint64_t count = 0;
  std::uint64_t children = 0;                          // of all of them
  std::optional<std::uint64_t> soonest_ns, latest_ns;  // deadlines, CLOCK_MONOTONIC
  bool waited_for = false;
  std::vector<GoCall> calls;          // of a goroutine that waits for its end, innermost first
  GoCall creator;                     // of that goroutine
  std::optional<std::uint64_t> lost;  // of them, if it was proved
};

struct ContextReport {
  std::vector<GoContextGroup> groups;  // lost ones first, then most first
  std::uint64_t alive = 0;
  std::uint64_t lost = 0;
};

// `proved`: what is said to be lost was found so at more than one look.
Result<ContextReport> report_contexts(const GoRuntime& runtime, const std::vector<GoContext>& contexts,
                                      bool proved);

}  // namespace dwell
