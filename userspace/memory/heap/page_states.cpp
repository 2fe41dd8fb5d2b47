// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/page_states.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kPresentBit = std::uint64_t{1} << 63, kSwappedBit = std::uint64_t{1} << 62;

PageState state_of(std::uint64_t entry, const ZeroFrames& zeros) {
  if (entry & kPresentBit) return zeros.shown_by(entry) ? PageState::kAbsent : PageState::kPresent;
  return entry & kSwappedBit ? PageState::kSwapped : PageState::kAbsent;
}

}  // namespace

PageStates::PageStates(pid_t pid) : fd_(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)), zeros_(ZeroFrames::learn()) {}

void PageStates::read(std::uint64_t address, std::span<PageState> states) const {
  std::uint64_t page = address / kPageSize;
  if (source_) {
    for (PageState& state : states) state = source_(page++ * kPageSize);
    return;
  }
  std::array<std::uint64_t, 1024> entries;
  while (!states.empty()) {
    std::size_t count = std::min(states.size(), entries.size());
    ssize_t got = fd_.valid() ? ::pread(fd_.get(), entries.data(), count * 8, static_cast<off_t>(page * 8)) : 0;
    std::size_t known = got > 0 ? static_cast<std::size_t>(got) / 8 : 0;
    for (std::size_t i = 0; i < count; ++i) states[i] = i < known ? state_of(entries[i], zeros_) : PageState::kPresent;
    states = states.subspan(count);
    page += count;
  }
}

}  // namespace dwell::memory::heap
