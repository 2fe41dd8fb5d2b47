// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/leading_frames.h"

#include <algorithm>
#include <string_view>

namespace dwell {
namespace {

bool is_runtime(std::string_view function) {
  return function.starts_with("runtime.") || function.starts_with("internal/runtime/");
}

// What the program's code calls: the block profile begins with it.
bool is_operation(std::string_view function) {
  constexpr std::string_view kOperations[] = {"runtime.chanrecv1", "runtime.chanrecv2", "runtime.chansend1",
                                              "runtime.selectgo", "runtime.selectnbrecv", "runtime.selectnbsend"};
  return std::ranges::find(kOperations, function) != std::end(kOperations);
}

// "sync.runtime_SemacquireMutex": the runtime's, under a name of package sync.
bool is_lent(std::string_view function) {
  return function.starts_with("sync.runtime_") || function.starts_with("internal/sync.runtime_") ||
         function.starts_with("internal/poll.runtime_") || function == "time.Sleep";
}

template <typename Leading>
std::size_t count_leading(const FrameTexts& texts, const CallStack& stack, Leading leading) {
  for (std::size_t i = 0; i < stack.locations.size(); ++i)
    if (!leading(texts.frames(stack.locations[i]).back().function)) return i;
  return 0;
}

}  // namespace

std::size_t leading_of_allocator(const FrameTexts& texts, const CallStack& stack) {
  return count_leading(texts, stack, is_runtime);
}

std::size_t leading_of_wait(const FrameTexts& texts, const CallStack& stack) {
  return count_leading(texts, stack, [](std::string_view function) {
    return (is_runtime(function) && !is_operation(function)) || is_lent(function);
  });
}

}  // namespace dwell
