// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/control_group.h"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/process/mounts.h"

namespace dwell {
namespace {

constexpr std::size_t kMostGroups = 100'000, kMostGroupsListed = 8;
constexpr std::size_t kShortestId = 4, kIdDigits = 64;

using GroupFolder = std::unique_ptr<DIR, int (*)(DIR*)>;

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Names that runtimes give the group of a container, before its id and behind it. Their monitors ("libpod-conmon-ID.scope")
// are no containers.
std::string_view container_id_in(std::string_view name) {
  if (name.ends_with(".scope")) name.remove_suffix(6);
  for (std::string_view prefix : {"docker-", "libpod-", "cri-containerd-", "crio-", "nerdctl-", "containerd-"})
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
      break;
    }
  return name.size() == kIdDigits && is_hex(name) ? name : std::string_view();
}

// "kubepods-burstable-pod0a1b_....slice", "pod0a1b-...": the UID with its dashes.
std::string pod_uid_in(std::string_view name) {
  std::size_t pod = name.rfind("pod");
  if (pod == std::string_view::npos || (pod != 0 && !name.starts_with("kubepods"))) return "";
  std::string uid(name.substr(pod + 3));
  if (uid.ends_with(".slice")) uid.resize(uid.size() - 6);
  std::ranges::replace(uid, '_', '-');
  return uid;
}

bool is_called_group(std::string_view name, std::string_view what) {
  if (name == what || name == std::string(what) + ".service" || name == std::string(what) + ".scope") return true;
  if (name == "lxc.payload." + std::string(what) || name == "machine-" + std::string(what) + ".scope") return true;
  if (std::string uid = pod_uid_in(name); !uid.empty() && uid == what) return true;
  return what.size() >= kShortestId && is_hex(what) && container_id_in(name).starts_with(what);
}

// Where hierarchies are mounted: that of version 2 first.
std::vector<std::string> hierarchies() {
  std::vector<std::string> places;
  for (const Mount& mount : mounts_of(::getpid()))
    if (mount.type == "cgroup2") places.insert(places.begin(), mount.place);
    else if (mount.type == "cgroup") places.push_back(mount.place);
  return places;
}

bool is_group(const std::string& folder) {
  struct stat status {};
  return ::stat((folder + "/cgroup.procs").c_str(), &status) == 0;
}

// All groups below, as paths from the root of the hierarchy.
void list_groups(const std::string& root, const std::string& path, std::vector<std::string>& paths) {
  GroupFolder folder(::opendir((root + path).c_str()), ::closedir);
  while (dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || paths.size() >= kMostGroups) continue;
    std::string below = path + "/" + entry->d_name;
    paths.push_back(below);
    list_groups(root, below, paths);
  }
}

void add_processes(const std::string& folder, std::vector<pid_t>& pids) {
  Result<std::string> list = read_file(folder + "/cgroup.procs", 16 << 20);
  for (std::string_view line : split(list ? std::string_view(*list) : std::string_view(), '\n')) {
    pid_t pid = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), pid).ec == std::errc() && pid > 0) pids.push_back(pid);
  }
}

std::string without_end(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Error no_group(const std::string& what) {
  return {fmt::format("find a control group: none is called '{}'", what),
          "give its path below /sys/fs/cgroup, a systemd unit, or the id of a container; systemd-cgls lists them", Exit::kNoTarget};
}

Result<ControlGroup> group_at(const std::string& path, const std::vector<std::string>& roots) {
  for (const std::string& root : roots) {
    if (path != root && !path.starts_with(root + "/")) continue;
    if (is_group(path)) return ControlGroup{path == root ? "/" : path.substr(root.size()), path};
  }
  std::string below = path.starts_with("/") ? path : "/" + path;
  for (const std::string& root : roots)
    if (is_group(root + below)) return ControlGroup{below, without_end(root + below)};
  return no_group(path);
}

}  // namespace

std::vector<std::string> groups_called(std::string_view what, const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const std::string& path : paths)
    if (is_called_group(std::string_view(path).substr(path.rfind('/') + 1), what)) found.push_back(path);
  std::ranges::sort(found);
  std::vector<std::string> outermost;
  for (std::string& path : found)
    if (outermost.empty() || !path.starts_with(outermost.back() + "/")) outermost.push_back(std::move(path));
  outermost.erase(std::ranges::unique(outermost).begin(), outermost.end());
  return outermost;
}

Result<ControlGroup> find_control_group(const std::string& what) {
  std::vector<std::string> roots = hierarchies();
  if (roots.empty())
    return Error{"find a control group: none is mounted here", "in a container, start it with /sys/fs/cgroup", Exit::kUnsupported};
  if (what.find('/') != std::string::npos) return group_at(without_end(what), roots);
  if (what.empty()) return no_group(what);
  for (const std::string& root : roots) {
    std::vector<std::string> paths;
    list_groups(root, "", paths);
    std::vector<std::string> found = groups_called(what, paths);
    // Some units only gather others, and are empty: "postgresql.service" beside "postgresql@15-main.service".
    if (found.size() > 1)
      std::erase_if(found, [&](const std::string& path) { return processes_in({path, root + path}).empty(); });
    if (found.size() == 1) return ControlGroup{found[0], root + found[0]};
    if (found.empty()) continue;
    std::string list;
    for (std::size_t i = 0; i < std::min(found.size(), kMostGroupsListed); ++i) list += (i ? ", " : "") + found[i];
    if (found.size() > kMostGroupsListed) list += fmt::format(" and {} more", found.size() - kMostGroupsListed);
    return Error{fmt::format("find a control group: {} are called '{}': {}", found.size(), what, list), "give the path of one of them", Exit::kNoTarget};
  }
  return no_group(what);
}

std::vector<pid_t> processes_in(const ControlGroup& group) {
  std::vector<std::string> below;
  list_groups(group.folder, "", below);
  std::vector<pid_t> pids;
  add_processes(group.folder, pids);
  for (const std::string& path : below) add_processes(group.folder + path, pids);
  std::ranges::sort(pids);
  pids.erase(std::ranges::unique(pids).begin(), pids.end());
  return pids;
}

}  // namespace dwell
