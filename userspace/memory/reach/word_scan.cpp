// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/word_scan.h"

#include <algorithm>
#include <array>

namespace dwell::memory::reach {

using heap::kPageSize;
using heap::PageState;

std::uint64_t WordScan::present_run(std::uint64_t at, std::uint64_t end) {
  std::array<PageState, kPiece / kPageSize> states;
  std::uint64_t page_start = at & ~(kPageSize - 1);
  std::size_t count = std::min<std::uint64_t>(states.size(), (end - page_start + kPageSize - 1) / kPageSize);
  target_.pages.read(page_start, {states.data(), count});
  std::size_t run = 1;
  while (run < count && states[run] == states[0]) ++run;
  std::uint64_t run_end = std::min(end, page_start + run * kPageSize);
  if (states[0] == PageState::kPresent) return run_end - at;
  if (states[0] == PageState::kSwapped) swapped_ += run;
  next_ = run_end;
  return 0;
}

}  // namespace dwell::memory::reach
