// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/kernel_version.h"

#include <fmt/core.h>
#include <sys/utsname.h>

#include <charconv>

namespace dwell {

std::optional<KernelVersion> parse_kernel_version(std::string_view release) {
  KernelVersion version{};
  const char* end = release.data() + release.size();
  auto [dot, bad_major] = std::from_chars(release.data(), end, version.major);
  if (bad_major != std::errc() || dot == end || *dot != '.') return std::nullopt;
  auto [rest, bad_minor] = std::from_chars(dot + 1, end, version.minor);
  if (bad_minor != std::errc()) return std::nullopt;
  return version;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

Result<void> require_version(std::string_view release) {
  std::optional<KernelVersion> version = parse_kernel_version(release);
  if (!version || *version >= kOldestKernel) return {};
  return Error{fmt::format("load BPF programs: this is Linux {}, and dwell needs {}.{} or newer", release,
                           kOldestKernel.major, kOldestKernel.minor),
               "Debian 12, Ubuntu 24.04, RHEL 10, Amazon Linux 2023 and newer have such a kernel; reports of recordings "
               "that were made elsewhere work here",
               Exit::kUnsupported};
}

Result<void> require_kernel() { return require_version(kernel_release()); }

}  // namespace dwell
