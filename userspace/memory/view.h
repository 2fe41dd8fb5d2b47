// SPDX-License-Identifier: Apache-2.0
// Views of the memory in a recording, as profiles that every exporter takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/views/profile.h"
#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/memory/event.h"

namespace dwell {

enum class MemoryView {
  kRetained,   // there at the end of the range: inuse_objects, inuse_space
  kGrowing,    // there at the end of the range, less what was there at its start (may be negative)
  kAllocated,  // allocated within the range: alloc_objects, alloc_space
  kTemporary,  // freed within the range, and younger than MemoryFilter::temporary_ns then
  kPeak,       // there when the memory of that process and kind was highest within the range
  kAll,        // alloc_objects alloc_space inuse_objects inuse_space
};
std::optional<MemoryView> memory_view_named(std::string_view name);  // "retained", "growing", ... "all"
std::string_view name_of(MemoryView view);
std::string_view name_of(MemoryKind kind);  // "heap", "mapping", "file", "reserved"
std::optional<MemoryKind> memory_kind_named(std::string_view name);

struct MemoryFilter {
  // Nanoseconds since the start of the recording. Ranges begin and end at ticks: the nearest one inside.
  std::optional<std::uint64_t> from_ns, to_ns;
  std::string site;    // regular expression (POSIX extended): any function, file or module of the stack matches
  std::string module;  // part of the path of any module of the stack
  std::optional<MemoryKind> kind;
  std::optional<ProcessSlot> process;
  bool by_program = false;      // reports add up processes of one program; else each process is told alone
  std::optional<Tid> thread;    // retained blocks of that thread only: needs the live blocks, so no time range
  std::uint64_t min_bytes = 0;  // sites with less in the figure that is sorted by are summed up as one row
  std::uint64_t temporary_ns = std::uint64_t{1} << 20;  // about 1 ms; rounded down to a power of two
  std::size_t curves = 20;      // sites, those that come first, whose bytes over time are kept
};

// Exit::kUsage for a regular expression that is none, or a filter that this view cannot answer.
// Kinds are never added up: unless the filter names one, it is of the usual one.
Result<Profile> memory_profile(const Recording& recording, MemoryView view, const MemoryFilter& filter);

// The heap; where a recording has none, the next kind that it has.
MemoryKind usual_kind(const Recording& recording);

}  // namespace dwell
