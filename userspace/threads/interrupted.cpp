// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/interrupted.h"

#include <algorithm>

#include "symbolizer/symbolizer.h"

namespace dwell {

std::optional<std::size_t> signal_frame_in(std::span<const ReportFrame> stack) {
  auto found = std::ranges::find(stack, kSignalFrame, &ReportFrame::function);
  if (found == stack.end()) return std::nullopt;
  return static_cast<std::size_t>(found - stack.begin());
}

bool is_inside_allocator(std::string_view function) {
  static constexpr std::string_view kNames[] = {
      "malloc",      "free",        "cfree",        "calloc",       "realloc",     "memalign",
      "valloc",      "pvalloc",     "aligned_alloc", "posix_memalign", "malloc_trim", "mallinfo2",
      "sysmalloc",   "systrim",     "unlink_chunk", "malloc_consolidate", "arena_get2", "tcache_init",
      "tcache_thread_shutdown", "new_heap", "heap_trim", "munmap_chunk"};
  for (std::string_view prefix : {"GI_", "libc_", "int_"}) {
    while (function.starts_with("_")) function.remove_prefix(1);
    if (function.starts_with(prefix)) function.remove_prefix(prefix.size());
  }
  return std::ranges::find(kNames, function.substr(0, function.find('.'))) != std::end(kNames);
}

bool is_forking(std::span<const ReportFrame> frames) {
  return std::ranges::any_of(frames, [](const ReportFrame& frame) {
    return frame.function == "fork" || frame.function == "__libc_fork" || frame.function.ends_with("_Fork");
  });
}

bool any_inside_allocator(std::span<const ReportFrame> frames) {
  return std::ranges::any_of(frames, [](const ReportFrame& frame) { return is_inside_allocator(frame.function); });
}

}  // namespace dwell
