// SPDX-License-Identifier: Apache-2.0
// /proc/PID/pagemap: what the kernel says of each page (Documentation/admin-guide/mm/pagemap.rst).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "userspace/base/unique_fd.h"
#include "userspace/memory/account/smaps.h"
#include "userspace/memory/heap/heap.h"

namespace dwell::memory {

constexpr std::uint64_t kPageInMemory = std::uint64_t{1} << 63;
constexpr std::uint64_t kPageOfFile = std::uint64_t{1} << 61;  // or of shared memory
constexpr std::uint64_t kPageMappedOnce = std::uint64_t{1} << 56;

class Pagemap {
 public:
  explicit Pagemap(pid_t pid);
  // The same with another source, for tests: the entry of the page with that number.
  using Source = std::function<std::uint64_t(std::uint64_t page)>;
  explicit Pagemap(Source source) : source_(std::move(source)) {}

  // From page number `page` on. What can't be read is not in memory.
  void read(std::uint64_t page, std::span<std::uint64_t> entries) const;

 private:
  UniqueFd fd_;
  Source source_;
};

// The kernel maps one page of zeros wherever anonymous memory is only read: it is nobody's, and in no RSS.
inline bool may_be_zero_page(std::uint64_t entry) { return !(entry & (kPageOfFile | kPageMappedOnce)); }

// The pages of a process that were in memory at one moment.
class PresentPages {
 public:
  // Reads at most `most` entries: the mappings behind those count as there, whole.
  static PresentPages read(const std::vector<MappingUse>& uses, const Pagemap& pagemap, std::uint64_t most);
  bool contains(std::uint64_t page) const;
  bool whole() const { return whole_; }  // false: of some mappings it is assumed

 private:
  void add(std::uint64_t first, std::uint64_t end);

  std::vector<heap::Range> ranges_;  // of page numbers, in order
  bool whole_ = true;
};

}  // namespace dwell::memory
