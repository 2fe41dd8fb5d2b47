// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/pagemap.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "userspace/memory/heap/page_states.h"

namespace dwell::memory {

using heap::kPageSize;

Pagemap::Pagemap(pid_t pid) : fd_(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}

void Pagemap::read(std::uint64_t page, std::span<std::uint64_t> entries) const {
  if (source_) {
    for (std::uint64_t& entry : entries) entry = source_(page++);
    return;
  }
  while (!entries.empty()) {
    ssize_t got = fd_.valid() ? ::pread(fd_.get(), entries.data(), entries.size_bytes(), static_cast<off_t>(page * 8)) : 0;
    std::size_t known = got > 0 ? static_cast<std::size_t>(got) / 8 : 0;
    if (!known) {
      std::ranges::fill(entries, 0);
      return;
    }
    entries = entries.subspan(known);
    page += known;
  }
}

PresentPages PresentPages::read(const std::vector<MappingUse>& uses, const Pagemap& pagemap, std::uint64_t most) {
  PresentPages present;
  std::array<std::uint64_t, 4096> entries;
  for (const MappingUse& use : uses) {
    std::uint64_t page = use.mapping.start / kPageSize, end = use.mapping.end / kPageSize;
    if (!use.resident) continue;
    if (end - page > most) {
      present.add(page, end);
      present.whole_ = false;
      continue;
    }
    most -= end - page;
    for (; page < end; page += entries.size()) {
      std::span<std::uint64_t> some(entries.data(), std::min<std::size_t>(entries.size(), end - page));
      pagemap.read(page, some);
      for (std::size_t i = 0; i < some.size(); ++i)
        if (some[i] & kPageInMemory) present.add(page + i, page + i + 1);
    }
  }
  return present;
}

void PresentPages::add(std::uint64_t first, std::uint64_t end) {
  if (!ranges_.empty() && ranges_.back().end == first)
    ranges_.back().end = end;
  else
    ranges_.push_back({first, end});
}

bool PresentPages::contains(std::uint64_t page) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), page, [](std::uint64_t value, const heap::Range& range) { return value < range.start; });
  return after != ranges_.begin() && page < std::prev(after)->end;
}

}  // namespace dwell::memory
