// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_sources.h"

#include <sys/stat.h>

#include <map>
#include <optional>
#include <utility>

#include "ui/escape.h"
#include "userspace/base/open_regular.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

std::optional<std::uint64_t> built_at(const Module& module) {
  struct stat status {};
  if (!module.path.starts_with('/') || !known_status(module.path, status)) return std::nullopt;
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != module.size)
    return std::nullopt;
  return static_cast<std::uint64_t>(status.st_mtim.tv_sec) * kSecondNs +
         static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
}

}  // namespace

SourceRemark remark_of_sources(const Recording& recording) {
  std::map<std::string, std::uint64_t> built;
  for (const Module& module : recording.modules)
    if (std::optional<std::uint64_t> when = built_at(module); when && *when <= recording.info.start_unix_ns)
      built.emplace(module.path, *when);
  return [built = std::move(built), start = recording.info.start_unix_ns](
             const std::string& module, std::uint64_t modified) -> std::string {
    auto known = built.find(module);
    if (known != built.end() && modified > known->second)
      return "changed after " + printable(base_name(module)) + " was built: lines may have moved";
    return start != 0 && modified > start ? "changed after the recording began: lines may have moved" : "";
  };
}

}  // namespace dwell
