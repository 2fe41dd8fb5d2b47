// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/touched_pages.h"

#include <algorithm>

#include "bpf/faults.h"

namespace dwell::memory {
namespace {

bool is_followed(std::uint64_t page, std::uint32_t shift) { return dwell_page_is_chosen(page << DWELL_FAULT_PAGE_SHIFT, shift) != 0; }

}  // namespace

// A page that was not there is new, whoever had one at this address before. One that was there becomes the process's own when it
// is written for the first time; a fault after that changes no page.
void TouchedPages::apply(const PageFault& fault) {
  std::uint32_t shift = std::min<std::uint32_t>(fault.shift, DWELL_FAULT_MOST_SHIFT);
  if (shift > shift_) thin_out(shift);
  shift_ = shift;
  faults_[fault.stack] += std::uint64_t{1} << shift;
  auto [at, fresh] = pages_.try_emplace(fault.page);
  if (!fresh && fault.was_there && at->second.written) return;
  at->second = {fault.stack, static_cast<std::uint8_t>(shift), fault.write};
  largest_shift_ = std::max(largest_shift_, shift);
}

// What becomes of pages that are no longer followed is not seen: those that still are stand for them, too.
void TouchedPages::thin_out(std::uint32_t shift) {
  absl::erase_if(pages_, [&](const auto& page) { return !is_followed(page.first, shift); });
  for (auto& [page, touched] : pages_) touched.shift = std::max(touched.shift, static_cast<std::uint8_t>(shift));
  if (!pages_.empty()) largest_shift_ = std::max(largest_shift_, shift);
}

std::uint32_t TouchedPages::fit(std::size_t most) {
  if (pages_.size() <= most || shift_ >= DWELL_FAULT_MOST_SHIFT) return 0;
  thin_out(++shift_);
  return shift_;
}

void TouchedPages::clear() {
  pages_.clear();
  faults_.clear();
  largest_shift_ = 0;
}

const TouchedPage* TouchedPages::find(std::uint64_t page) const {
  auto found = pages_.find(page);
  return found == pages_.end() ? nullptr : &found->second;
}

}  // namespace dwell::memory
