// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/groups.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "ui/words.h"

namespace dwell::files {
namespace {

// As many different files of one folder as are told one by one.
constexpr std::size_t kFilesOfAFolder = 3;

bool is_pipe(const OpenFile& file) { return file.kind == FileKind::kPipe || file.kind == FileKind::kFifo; }
bool is_plain(const OpenFile& file) { return file.kind == FileKind::kFile || file.kind == FileKind::kDeleted; }

std::string other_end_words(const SeenFile& seen, pid_t own) {
  if (!seen.has_other_end) return "";
  std::string others = holder_names(seen.other_end, own);
  bool itself = std::ranges::any_of(seen.other_end, [own](const Holder& holder) { return holder.pid == own; });
  if (itself) others = others.empty() ? "this process itself" : "this process itself and " + others;
  if (others.empty()) others = is_pipe(seen.file) ? "nobody that can be seen" : "";
  if (others.empty()) return "";
  if (!is_pipe(seen.file)) return "with " + others;
  return (seen.file.readable ? "written by " : "read by ") + others;
}

std::string socket_what(const SeenFile& seen) {
  if (!seen.socket) return "";
  const Socket& socket = *seen.socket;
  if (socket.listening) return "at " + socket.local;
  if (seen.accepted) return "from clients, at " + socket.local;
  if (!socket.peer.empty()) return "to " + socket.peer;
  if (!socket.local.empty()) return "at " + socket.local;
  return seen.peer_name.empty() ? "" : "to " + seen.peer_name;
}

std::string count_words(const OpenFile& file) {
  if (!file.count) return "";
  switch (file.kind) {
    case FileKind::kEventfd:
      return fmt::format("counts {}", *file.count);
    case FileKind::kEpoll:
      return "watches " + counted(*file.count, "descriptor");
    case FileKind::kInotify:
    case FileKind::kFanotify:
      return *file.count == 1 ? "1 watch" : fmt::format("{} watches", *file.count);
    default:
      return counted(*file.count, "registered file");
  }
}

void append(std::string& text, const std::string& more, std::string_view between = "; ") {
  if (!more.empty()) text += (text.empty() ? "" : std::string(between)) + more;
}

// "locked to write (fcntl), bytes 0 to 9"
std::string lock_words(const std::vector<FileLock>& locks) {
  if (locks.empty()) return "";
  const FileLock& lock = locks.front();
  std::string words = fmt::format("locked to {} ({})", lock.writes ? "write" : "read", name_of(lock.kind));
  if (lock.from || lock.until)
    words += lock.until ? fmt::format(", bytes {} to {}", lock.from, *lock.until)
                        : fmt::format(", from byte {} on", lock.from);
  if (locks.size() > 1) words += fmt::format(", and {} more", counted(locks.size() - 1, "lock"));
  return words;
}

std::string what_of(const SeenFile& seen, pid_t own, const std::string& name) {
  const OpenFile& file = seen.file;
  std::string what = file.kind == FileKind::kSocket ? socket_what(seen) : name;
  if (file.kind == FileKind::kPidfd && file.process) what = fmt::format("process {}", file.process);
  bool named_by_kind = file.kind != FileKind::kOther && file.link.starts_with("anon_inode:");
  if (named_by_kind) what = file.kind == FileKind::kBpf ? file.name : "";
  append(what, count_words(file));
  append(what, lock_words(file.locks));
  append(what, other_end_words(seen, own), what.empty() || is_pipe(file) ? "; " : ", ");
  if (std::string also = holder_names(seen.also, own); !also.empty()) append(what, "also in " + also);
  return what;
}

class Grouping {
 public:
  explicit Grouping(const FilesLook& look) : look_(look) {
    std::map<std::string, std::set<std::string>> names;
    for (const SeenFile& seen : look.files)
      if (is_plain(seen.file)) names[folder_of(seen.file.name)].insert(seen.file.name);
    for (const auto& [folder, of_it] : names)
      if (of_it.size() > kFilesOfAFolder && !folder.empty()) crowded_.insert(folder);
  }

  std::vector<FileGroup> group(bool alone) {
    std::map<std::tuple<std::string, std::string, std::string>, std::size_t> known;
    for (std::size_t i = 0; i < look_.files.size(); ++i) {
      const SeenFile& seen = look_.files[i];
      std::string folder = alone || !is_plain(seen.file) ? "" : folder_of(seen.file.name);
      bool crowd = crowded_.contains(folder);
      FileGroup fresh;
      fresh.kind = kind_of(seen);
      fresh.state = seen.socket ? seen.socket->state : "";
      fresh.what = what_of(seen, look_.process.pid, crowd ? folder + "/*" : seen.file.name);
      fresh.listens = seen.socket && seen.socket->listening;
      auto [at, added] = known.try_emplace({fresh.kind, fresh.state, fresh.what}, groups_.size());
      if (added || alone) groups_.push_back(std::move(fresh));
      add(i, alone ? groups_.back() : groups_[at->second]);
    }
    if (!alone) std::ranges::stable_sort(groups_, std::greater<>(), [](const FileGroup& group) { return group.files.size(); });
    return std::move(groups_);
  }

 private:
  static std::string folder_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == path.npos ? "" : path.substr(0, slash);
  }

  void add(std::size_t index, FileGroup& group) {
    const SeenFile& seen = look_.files[index];
    group.files.push_back(index);
    bool again = seen.file.inode && !counted_.insert({seen.file.device, seen.file.inode}).second;
    if (!again) group.size += seen.file.size;
    if (!seen.socket) return;
    group.unread += seen.socket->receive_queue;
    group.unsent += seen.socket->send_queue;
    if (seen.socket->quiet_ns) group.quiet_ns = std::max(group.quiet_ns.value_or(0), *seen.socket->quiet_ns);
  }

  const FilesLook& look_;
  std::set<std::string> crowded_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> counted_;  // files whose size is in a group
  std::vector<FileGroup> groups_;
};

}  // namespace

std::vector<FileGroup> group_files(const FilesLook& look) { return Grouping(look).group(false); }
std::vector<FileGroup> each_alone(const FilesLook& look) { return Grouping(look).group(true); }

std::string kind_of(const SeenFile& seen) { return std::string(seen.socket ? seen.socket->protocol : name_of(seen.file.kind)); }

std::string count_by_kind(const FilesLook& look) {
  std::map<std::string, std::size_t> counts;
  for (const SeenFile& seen : look.files) ++counts[kind_of(seen)];
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::greater<>(), &std::pair<std::string, std::size_t>::second);
  std::string text;
  for (const auto& [kind, count] : sorted) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", kind, count_text(static_cast<double>(count)));
  return text;
}

std::string descriptor_ranges(const FilesLook& look, const std::vector<std::size_t>& files) {
  constexpr std::size_t kRanges = 3;
  std::string text;
  std::size_t ranges = 0, told = 0;
  for (std::size_t i = 0; i < files.size() && ranges < kRanges; ++ranges) {
    std::size_t last = i;
    while (last + 1 < files.size() && look.files[files[last + 1]].file.fd == look.files[files[last]].file.fd + 1) ++last;
    int from = look.files[files[i]].file.fd, to = look.files[files[last]].file.fd;
    text += text.empty() ? "" : ", ";
    text += from == to ? fmt::format("{}", from) : fmt::format("{}-{}", from, to);
    i = told = last + 1;
  }
  if (told < files.size()) text += fmt::format(" and {} more", files.size() - told);
  return text;
}

}  // namespace dwell::files
