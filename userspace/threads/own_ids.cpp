// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/own_ids.h"

#include <fmt/core.h>

#include <charconv>
#include <filesystem>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::optional<pid_t> number(std::string_view text) {
  pid_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::vector<pid_t> ids_of(const std::string& task) {
  Result<std::string> status = read_file(task + "/status", 1 << 16);
  return status ? namespace_ids(*status) : std::vector<pid_t>{};
}

// The numbered folders in a folder of /proc.
std::vector<pid_t> numbered(const std::string& folder) {
  std::vector<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (std::optional<pid_t> id = number(at->path().filename().native())) found.push_back(*id);
  return found;
}

std::string pid_namespace_of(pid_t process) {
  std::error_code error;
  return std::filesystem::read_symlink(fmt::format("/proc/{}/ns/pid", living_thread(process)), error).native();
}

}  // namespace

std::vector<pid_t> namespace_ids(std::string_view status) {
  std::vector<pid_t> ids;
  for (std::string_view line : split(status, '\n')) {
    if (!line.starts_with("NSpid:")) continue;
    for (std::string_view word : split(line.substr(6), '\t'))
      if (std::optional<pid_t> id = number(word)) ids.push_back(*id);
  }
  return ids;
}

std::optional<Tid> thread_that_calls_itself(pid_t process, Tid own_tid) {
  std::string tasks = fmt::format("/proc/{}/task", process);
  for (pid_t tid : numbered(tasks)) {
    std::vector<pid_t> ids = ids_of(fmt::format("{}/{}", tasks, tid));
    if (!ids.empty() && static_cast<Tid>(ids.back()) == own_tid) return static_cast<Tid>(tid);
  }
  return std::nullopt;
}

std::optional<OwnThread> thread_anywhere_beside(pid_t beside, Tid own_tid) {
  std::string ns = pid_namespace_of(beside);
  if (ns.empty()) return std::nullopt;
  for (pid_t process : numbered("/proc")) {
    if (pid_namespace_of(process) != ns) continue;
    if (std::optional<Tid> tid = thread_that_calls_itself(process, own_tid)) return OwnThread{process, *tid};
  }
  return std::nullopt;
}

std::optional<pid_t> child_known_as(pid_t parent, pid_t id) {
  std::size_t level = ids_of(fmt::format("/proc/{}", parent)).size();
  for (pid_t thread : numbered(fmt::format("/proc/{}/task", parent))) {
    Result<std::string> children =
        read_file(fmt::format("/proc/{}/task/{}/children", parent, thread), 1 << 20);
    if (!children || level == 0) continue;
    for (std::string_view word : split(*children, ' ')) {
      std::optional<pid_t> child = number(word);
      std::vector<pid_t> ids = child ? ids_of(fmt::format("/proc/{}", *child)) : std::vector<pid_t>{};
      if (ids.size() >= level && ids[level - 1] == id) return child;
    }
  }
  return std::nullopt;
}

}  // namespace dwell
