// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/own_proc.h"

#include <fmt/core.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace dwell {

Result<void> expect_own_proc() {
  constexpr const char* kDoing = "look at processes in /proc";
  char self[32];
  ssize_t size = ::readlink("/proc/self", self, sizeof self);
  if (size < 0 && ::access("/proc/version", F_OK) != 0)
    return Error{fmt::format("{}: it is not mounted", kDoing), "run: mount -t proc proc /proc",
                 Exit::kUnsupported};
  if (size >= 0 && std::string_view(self, static_cast<std::size_t>(size)) == std::to_string(::getpid()))
    return {};
  return Error{fmt::format("{}: it shows another PID namespace than dwell runs in", kDoing),
               "run: unshare -m sh -c 'mount -t proc proc /proc && dwell ...'; or enter both namespaces: "
               "nsenter -t PID -p -m dwell ...",
               Exit::kUnsupported};
}

}  // namespace dwell
