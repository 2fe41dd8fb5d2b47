// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/resident_pages.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>

#include "userspace/base/living_thread.h"
#include "userspace/memory/windows/growth_trigger.h"

namespace dwell::memory::windows {

std::optional<ResidentPages> ResidentPages::open(pid_t pid) {
  UniqueFd file(::open(fmt::format("/proc/{}/statm", living_thread(pid)).c_str(), O_RDONLY | O_CLOEXEC));
  return file.valid() ? std::optional(ResidentPages(std::move(file))) : std::nullopt;
}

std::optional<std::uint64_t> ResidentPages::read() const {
  std::array<char, 128> text;
  ssize_t size = ::pread(file_.get(), text.data(), text.size(), 0);
  return size > 0 ? resident_in({text.data(), static_cast<std::size_t>(size)}) : std::nullopt;
}

}  // namespace dwell::memory::windows
