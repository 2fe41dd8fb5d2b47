// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"

namespace dwell {
namespace {

using DirectoryHandle = std::unique_ptr<DIR, int (*)(DIR*)>;
DirectoryHandle open_directory(const std::string& path) { return {::opendir(path.c_str()), ::closedir}; }

// Of an entry that is a number; -1 otherwise.
int number_of(const dirent& entry) {
  int number = -1;
  std::string_view name = entry.d_name;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc{} && end == name.data() + name.size() ? number : -1;
}

class HolderScan {
 public:
  explicit HolderScan(const std::set<std::string, std::less<>>& links) : links_(links) {}

  Holders scan() {
    DirectoryHandle processes = open_directory("/proc");
    while (dirent* entry = processes ? ::readdir(processes.get()) : nullptr)
      if (int pid = number_of(*entry); pid > 0) scan_process(pid);
    for (auto& [link, holders] : found_.by_link)
      std::ranges::sort(holders, {}, [](const Holder& holder) { return std::pair(holder.pid, holder.fd); });
    return std::move(found_);
  }

 private:
  void scan_process(pid_t pid) {
    DirectoryHandle files = open_directory(fmt::format("/proc/{}/fd", living_thread(pid)));
    if (!files) {
      found_.not_seen += errno == EACCES || errno == EPERM;
      return;
    }
    std::string name;
    while (dirent* entry = ::readdir(files.get())) {
      char buffer[256];
      ssize_t n = ::readlinkat(::dirfd(files.get()), entry->d_name, buffer, sizeof buffer);
      auto link = n > 0 ? links_.find(std::string_view(buffer, static_cast<std::size_t>(n))) : links_.end();
      if (link == links_.end()) continue;
      struct stat own {};
      if (::fstatat(::dirfd(files.get()), entry->d_name, &own, AT_SYMLINK_NOFOLLOW)) continue;
      if (name.empty()) name = name_of_process(pid);
      found_.by_link[*link].push_back({pid, name, number_of(*entry), (own.st_mode & S_IRUSR) != 0, (own.st_mode & S_IWUSR) != 0});
    }
  }

  static std::string name_of_process(pid_t pid) {
    Result<std::string> name = read_file(fmt::format("/proc/{}/comm", pid), 64);
    return name ? name->substr(0, name->find('\n')) : "";
  }

  const std::set<std::string, std::less<>>& links_;
  Holders found_;
};

}  // namespace

std::vector<Holder> Holders::of(std::string_view link) const {
  auto found = by_link.find(link);
  return found == by_link.end() ? std::vector<Holder>() : found->second;
}

Holders find_holders(const std::set<std::string, std::less<>>& links) { return links.empty() ? Holders() : HolderScan(links).scan(); }

std::string holder_names(const std::vector<Holder>& holders, pid_t without) {
  constexpr std::size_t kNamed = 3;
  std::vector<const Holder*> processes;
  for (const Holder& holder : holders)
    if (holder.pid != without && (processes.empty() || processes.back()->pid != holder.pid)) processes.push_back(&holder);
  std::string text;
  std::size_t named = processes.size() <= kNamed + 1 ? processes.size() : kNamed;
  for (std::size_t i = 0; i < named; ++i)
    text += fmt::format("{}{} ({})", i == 0 ? "" : i + 1 == processes.size() ? " and " : ", ", processes[i]->name, processes[i]->pid);
  if (named < processes.size()) text += fmt::format(" and {} more", processes.size() - named);
  return text;
}

}  // namespace dwell
