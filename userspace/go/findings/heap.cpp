// SPDX-License-Identifier: Apache-2.0
// Which global variables hold the heap.
#include <fmt/core.h>

#include <algorithm>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/data_users.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/parts.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMuch = 1 << 20;
constexpr double kGoodPart = 0.25;         // of the heap
constexpr std::uint64_t kFewestGrown = 5;  // between two looks
constexpr std::uint64_t kManySlices = 50, kMuchWaste = 8 << 20;

std::string bytes_words(std::uint64_t count) { return human_bytes(static_cast<double>(count)); }

// From each of three looks to the next.
bool grew(const GoHolder& holder) {
  return holder.since_ns && holder.length_between > holder.length_before &&
         holder.length() > holder.length_between && holder.length() >= holder.length_before + kFewestGrown;
}
bool wastes(const GoHolder& holder) {
  return holder.short_slices >= kManySlices && holder.short_bytes >= kMuchWaste &&
         holder.short_bytes * 2 >= holder.bytes;
}
// Closures that hold most of what it leads to.
bool holds_by_closures(const GoHolder& holder) {
  return holder.closures > 1 && holder.closure_bytes * 2 >= holder.bytes;
}

std::string kind_text(const GoHolder& holder) {
  if (holder.map_length > holder.slice_length)
    return fmt::format("a map of {} entries", count_text(holder.map_length));
  return fmt::format("a slice of {}", counted(holder.slice_length, "element"));
}

std::string closure_text(const GoRuntime& runtime, const GoHolder& holder) {
  std::vector<GoCall> calls = runtime.frames().calls_at(holder.closure, false);
  return fmt::format("{} closures of {} hold {}", count_text(holder.closures), place_text(calls.back()),
                     bytes_words(holder.closure_bytes));
}

std::string growth_text(const GoHolder& holder) {
  return grew(holder)
             ? fmt::format("; it grew by {} in {}", count_text(holder.length() - holder.length_before),
                           human_duration(holder.since_ns))
             : "";
}

Finding holder_finding(const GoRuntime& runtime, const GoHolder& holder, std::uint64_t heap_bytes) {
  Finding finding;
  finding.weight = wastes(holder) ? FindingWeight::kWaste : FindingWeight::kPileUp;
  std::string users = holder.kind == GoHolderKind::kGlobal ? variable_text(runtime, holder.address)
                                                           : holder_text(holder_rows(runtime, {holder})[0]);
  std::string share =
      fmt::format("{:.0f}% of the heap", 100.0 * static_cast<double>(holder.bytes) /
                                             static_cast<double>(std::max(heap_bytes, holder.bytes)));
  if (wastes(holder)) {
    finding.headline =
        fmt::format("{} slices keep arrays of up to {} of which each can use {}: {} in all, {}",
                    count_text(holder.short_slices), counted(holder.array_bytes, "byte"),
                    counted(holder.most_elements, "element"), bytes_words(holder.short_bytes), share);
  } else if (holds_by_closures(holder)) {
    finding.headline = fmt::format("{}, {}{}", closure_text(runtime, holder), share, growth_text(holder));
  } else {
    finding.headline = fmt::format("{} holds {}, {}{}", kind_text(holder), bytes_words(holder.bytes), share,
                                   growth_text(holder));
  }
  finding.evidence.push_back("through " + users);
  return finding;
}

}  // namespace

void add_holders(CodeOnDemand& code, GoroutineReport& report) {
  if (!report.stuck) return;
  std::uint64_t heap_bytes = report.stuck->reached_bytes;
  constexpr std::size_t kMost = 2;
  std::size_t added = 0;
  for (const GoHolder& holder : report.stuck->holders) {
    // What others than the first goroutine hold for a second may be a request's own.
    if (holder.kind != GoHolderKind::kGlobal &&
        !(holder.kind == GoHolderKind::kFrame && holder.goroutines == 1 && holder.goroutine == 1))
      continue;
    bool much = holder.bytes >= kMuch &&
                static_cast<double>(holder.bytes) >= kGoodPart * static_cast<double>(heap_bytes);
    if (!much || !(grew(holder) || wastes(holder)) || added++ >= kMost) continue;
    Finding finding = holder_finding(code.runtime(), holder, heap_bytes);
    finding.command = fmt::format("dwell record {}", report.pid);
    report.findings.push_back(std::move(finding));
  }
}

}  // namespace dwell
