// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/children.h"

#include <dirent.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

std::vector<pid_t> numbered_entries(const std::string& path) {
  std::vector<pid_t> numbers;
  Folder folder(::opendir(path.c_str()), ::closedir);
  while (dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    pid_t number = 0;
    std::string_view name = entry->d_name;
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc{}) numbers.push_back(number);
  }
  return numbers;
}

// By what every process says of its parent: the kernel's own list of children is an option of its build.
std::vector<pid_t> with_parent(pid_t parent) {
  std::vector<pid_t> children;
  for (pid_t pid : numbered_entries("/proc")) {
    Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 16);
    if (status && status_field(*status, "PPid") == std::to_string(parent)) children.push_back(pid);
  }
  return children;
}

}  // namespace

std::vector<ChildProcess> children_of(pid_t pid) {
  std::vector<ChildProcess> children;
  for (pid_t child : with_parent(pid)) {
    Result<std::string> name = read_file(fmt::format("/proc/{}/comm", child), 64);
    std::optional<std::uint64_t> cpu_ns = process_cpu_ns(child);
    if (!name || !cpu_ns || process_has_ended(child)) continue;
    children.push_back({child, name->substr(0, name->find('\n')), *cpu_ns});
  }
  std::ranges::stable_sort(children, std::greater<>(), &ChildProcess::cpu_ns);
  return children;
}

std::string children_note(std::span<const ChildProcess> children, const std::string& what, const std::string& command) {
  constexpr std::size_t kNamed = 8;
  if (children.empty()) return "";
  std::vector<std::pair<std::string, std::string>> programs;  // name, PIDs
  for (const ChildProcess& child : children.first(std::min(children.size(), kNamed))) {
    auto same = std::ranges::find(programs, child.name, &std::pair<std::string, std::string>::first);
    if (same == programs.end()) same = programs.insert(programs.end(), {child.name, ""});
    same->second += fmt::format("{}{}", same->second.empty() ? "" : ", ", child.pid);
  }
  std::string names;
  for (const auto& [name, pids] : programs) names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", name, pids);
  if (children.size() > kNamed) names += fmt::format(" and {} more", children.size() - kNamed);
  bool one = children.size() == 1;
  return fmt::format("it has {} child process{} that {} not {}: {}; for {}: {} {}", children.size(), one ? "" : "es", one ? "is" : "are", what, names,
                     one ? "it" : "the busiest", command, children[0].pid);
}

}  // namespace dwell
