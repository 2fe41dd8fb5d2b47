// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/find_process.h"

#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>

#include "userspace/base/files.h"

namespace dwell {
namespace {

std::optional<pid_t> number_in(std::string_view text) {
  pid_t pid = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

// From /proc/PID/stat: "1234 (name) S 1 ...", where the name may hold anything.
std::optional<NamedProcess> parse_stat(pid_t pid, std::string_view stat) {
  std::size_t open = stat.find('('), close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  NamedProcess process{pid, 0, std::string(stat.substr(open + 1, close - open - 1))};
  std::string_view rest = stat.substr(close + 1);
  std::size_t parent = rest.find_first_of("0123456789");
  if (parent == std::string_view::npos) return std::nullopt;
  std::from_chars(rest.data() + parent, rest.data() + rest.size(), process.parent);
  return process;
}

// The kernel keeps 15 bytes of a name.
bool is_called(const NamedProcess& process, const std::string& name) {
  constexpr std::size_t kCommBytes = 15;
  return process.name == name || (name.size() > kCommBytes && process.name == name.substr(0, kCommBytes));
}

}  // namespace

std::vector<NamedProcess> running_processes() {
  std::vector<NamedProcess> processes;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  while (dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    std::optional<pid_t> pid = number_in(entry->d_name);
    if (!pid || *pid == ::getpid()) continue;
    Result<std::string> stat = read_file(fmt::format("/proc/{}/stat", *pid));
    if (!stat) continue;
    if (std::optional<NamedProcess> process = parse_stat(*pid, *stat)) processes.push_back(std::move(*process));
  }
  return processes;
}

std::vector<pid_t> tree_of(const std::vector<pid_t>& roots, const std::vector<NamedProcess>& processes, pid_t own) {
  std::multimap<pid_t, pid_t> below;  // by parent
  for (const NamedProcess& process : processes) below.emplace(process.parent, process.pid);
  std::vector<pid_t> tree;
  auto add = [&](pid_t pid) {
    if (pid != own && std::ranges::find(tree, pid) == tree.end()) tree.push_back(pid);
  };
  for (pid_t root : roots) add(root);
  for (std::size_t i = 0; i < tree.size(); ++i)
    for (auto [at, end] = below.equal_range(tree[i]); at != end; ++at) add(at->second);
  return tree;
}

std::vector<pid_t> all_called(const std::string& name, const std::vector<NamedProcess>& processes) {
  std::vector<pid_t> pids;
  for (const NamedProcess& process : processes)
    if (is_called(process, name)) pids.push_back(process.pid);
  std::ranges::sort(pids);
  return pids;
}

Result<pid_t> find_among(const std::string& name, const std::vector<NamedProcess>& processes) {
  constexpr std::size_t kMostListed = 8;
  std::vector<NamedProcess> found;
  std::ranges::copy_if(processes, std::back_inserter(found), [&](const NamedProcess& process) { return is_called(process, name); });
  std::ranges::sort(found, {}, &NamedProcess::pid);
  if (found.empty())
    return Error{fmt::format("find a process: none is called '{}'", name), "give its PID", Exit::kNoTarget};
  if (found.size() == 1) return found[0].pid;
  auto is_worker = [&](const NamedProcess& process) {
    return std::ranges::any_of(found, [&](const NamedProcess& other) { return other.pid == process.parent; });
  };
  std::string list;
  for (std::size_t i = 0; i < std::min(found.size(), kMostListed); ++i) {
    bool master = std::ranges::any_of(found, [&](const NamedProcess& other) { return other.parent == found[i].pid; });
    list += fmt::format("{}{}{}", i ? ", " : "", found[i].pid, master ? " (parent of others)" : is_worker(found[i]) ? " (worker)" : "");
  }
  if (found.size() > kMostListed) list += fmt::format(" and {} more", found.size() - kMostListed);
  return Error{fmt::format("find a process: {} are called '{}': {}", found.size(), name, list), fmt::format("give the PID of one of them; all of them: dwell record --name {}", name),
               Exit::kNoTarget};
}

Result<pid_t> find_process(const std::string& what) {
  if (std::optional<pid_t> pid = number_in(what)) return *pid;
  if (what.empty() || what[0] == '-' || std::ranges::all_of(what, [](char c) { return c >= '0' && c <= '9'; }))
    return Error{fmt::format("'{}' is no PID", what), "give the PID of a process, or its name", Exit::kUsage};
  return find_among(what, running_processes());
}

}  // namespace dwell
