// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/frames.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <fmt/core.h>

#include "bpf/events.h"

namespace dwell {

namespace {

bool has_name(const Recording& recording, std::uint32_t location) {
  return location < recording.symbols.size() && !recording.symbols[location].frames.empty();
}

std::string key_of(const std::vector<ReportFrame>& frames) {
  std::string key;
  for (const ReportFrame& frame : frames)
    key += fmt::format("{}\n{}\n{}\n{}\n", frame.function, frame.file, frame.line, frame.module);
  return key;
}

}  // namespace

std::string_view base_name(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string unnamed(const Recording& recording, const Location& location) {
  if (location.module < 0) return "[unknown]";
  const Module& module = recording.modules[static_cast<std::size_t>(location.module)];
  if (module.kind == ModuleKind::kJit || module.kind == ModuleKind::kAnonymous) return "[jit]";
  std::string_view name = base_name(module.path);
  return fmt::format("{}+{:#x}", name.empty() ? "[unknown]" : name, location.offset);
}

FrameTexts::FrameTexts(const Recording& recording) : recording_(recording) {
  absl::flat_hash_map<std::string, std::uint32_t> known;
  readings_.reserve(recording.locations.size());
  for (std::uint32_t i = 0; i < recording.locations.size(); ++i) {
    auto [it, added] = known.try_emplace(key_of(frames(i)), static_cast<std::uint32_t>(first_location_.size()));
    if (added) first_location_.push_back(i);
    readings_.push_back(it->second);
  }
}

std::vector<ReportFrame> FrameTexts::frames(std::uint32_t index) const {
  const Location& location = recording_.locations[index];
  ReportFrame common;
  common.offset = location.offset;
  if (location.module >= 0) common.module = recording_.modules[static_cast<std::size_t>(location.module)].path;
  if (!has_name(recording_, index)) {
    common.function = unnamed(recording_, location);
    return {common};
  }
  std::vector<ReportFrame> result;
  const std::vector<SymbolFrame>& symbols = recording_.symbols[index].frames;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    ReportFrame frame = common;
    frame.named = !symbols[i].function.empty();
    frame.function = frame.named ? symbols[i].function : unnamed(recording_, location);
    frame.file = symbols[i].file;
    frame.line = symbols[i].line;
    frame.inlined = i + 1 < symbols.size();
    result.push_back(std::move(frame));
  }
  return result;
}

std::vector<ReportFrame> FrameTexts::frames_of(const CallStack& stack) const {
  std::vector<ReportFrame> all;
  for (std::uint32_t location : stack.locations)
    for (ReportFrame& frame : frames(location)) all.push_back(std::move(frame));
  return all;
}

std::vector<std::uint32_t> FrameTexts::readings_of(const CallStack& stack) const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t location : stack.locations) all.push_back(reading(location));
  return all;
}

std::string incomplete_because(std::uint8_t end) {
  switch (end) {
    case DWELL_STACK_COMPLETE: return "";
    case DWELL_STACK_TOO_DEEP: return fmt::format("deeper than {} frames", DWELL_MAX_FRAMES);
    case DWELL_STACK_NO_MAPPING: return "an address in no known mapping";
    case DWELL_STACK_NO_RULE: return "no unwind rule, and no frame pointer";
    case DWELL_STACK_UNSUPPORTED: return "a rule that needs a DWARF expression";
    case DWELL_STACK_READ_FAILED: return "the stack could not be read";
    case DWELL_STACK_NOT_GROWING: return "a broken chain of frames";
    case DWELL_STACK_ASYNC: return "interrupted by a signal";
    case DWELL_STACK_TABLE_PENDING: return "a module that had just been loaded";
    default: return "for a reason that this dwell does not know";
  }
}

bool is_allocator(std::string_view function) {
  static const absl::flat_hash_set<std::string_view> kNames = {
      "malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc",
      "pvalloc", "mallocx", "rallocx", "xallocx", "mmap", "mmap64", "mremap", "brk", "sbrk",
      "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__mmap", "__mremap"};
  if (kNames.contains(function)) return true;
  for (std::string_view prefix : {"operator new", "tc_malloc", "tc_calloc", "tc_realloc", "tc_new", "tc_memalign",
                                  "tc_posix_memalign", "mi_malloc", "mi_calloc", "mi_zalloc", "mi_realloc", "mi_recalloc",
                                  "mi_aligned", "mi_heap_", "mi_new", "je_malloc", "je_calloc", "je_realloc", "je_rallocx",
                                  "je_aligned", "je_memalign", "je_posix_memalign"})
    if (function.substr(0, prefix.size()) == prefix) return true;
  return false;
}

namespace {

// Frames of the C and C++ libraries say how a thread waits and how it began, not where in the program that
// is.
bool is_library(const ReportFrame& frame) {
  std::string_view name = base_name(frame.module);
  for (std::string_view start :
       {"libc.so", "libc-", "libpthread", "ld-linux", "ld-musl", "libstdc++.so", "[vdso]"})
    if (name.starts_with(start)) return true;
  return frame.function.starts_with("std::") || frame.function.starts_with("__gthread") ||
         frame.function == "_start";
}

}  // namespace

std::vector<ReportFrame> own_part(const std::vector<ReportFrame>& stack) {
  auto first = std::ranges::find_if_not(stack, is_library);
  if (first == stack.end()) return stack;
  auto last = std::find_if_not(stack.rbegin(), stack.rend(), is_library);
  return {first, last.base()};
}

}  // namespace dwell
