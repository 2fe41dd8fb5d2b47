// SPDX-License-Identifier: Apache-2.0
// TouchedPages: which call site made each page of a process resident last, by its page faults. Pure and bounded: where faults
// come too fast, or there are too many pages, it keeps one page in `weight`, chosen by address, and each stands for `weight`.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>

#include "userspace/recording/ids.h"

namespace dwell::memory {

struct PageFault {
  std::uint64_t page = 0;   // address / 4096
  StackId stack = StackId::kUnknown;
  std::uint32_t shift = 0;  // one page in 2^shift is followed
  bool write = false;
  bool was_there = false;   // a page was mapped, and could not be used so
};

struct TouchedPage {
  StackId stack = StackId::kUnknown;
  std::uint8_t shift = 0;   // it stands for 2^shift pages
  bool written = false;     // false: an anonymous page is the kernel's page of zeros, which is nobody's memory
  std::uint64_t weight() const { return std::uint64_t{1} << shift; }
};

class TouchedPages {
 public:
  void apply(const PageFault& fault);
  // Fewer pages, if there are more than `most`: the shift that the kernel's side is to keep to; 0: it needs to do nothing.
  std::uint32_t fit(std::size_t most);
  void clear();

  const TouchedPage* find(std::uint64_t page) const;
  std::size_t size() const { return pages_.size(); }
  // The largest shift of any page that was kept: 0 if all of them were followed.
  std::uint32_t largest_shift() const { return largest_shift_; }
  // Faults by stack, all of them: estimates where one page stands for several.
  const absl::flat_hash_map<StackId, std::uint64_t>& faults() const { return faults_; }

 private:
  void thin_out(std::uint32_t shift);

  absl::flat_hash_map<std::uint64_t, TouchedPage> pages_;
  absl::flat_hash_map<StackId, std::uint64_t> faults_;
  std::uint32_t shift_ = 0, largest_shift_ = 0;
};

}  // namespace dwell::memory
