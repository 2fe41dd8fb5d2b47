// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/open_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <span>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"
#include "userspace/process/descriptors.h"
#include "userspace/process/process.h"
#include "userspace/process/resource_limits.h"

namespace dwell {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(FileKind::kKinds)> kFileKindNames = {
    "file",      "deleted file", "memfd",     "shared memory", "directory",     "terminal", "character device", "block device", "socket",
    "pipe",      "FIFO",         "message queue", "eventfd",   "epoll",         "inotify",  "fanotify",         "timerfd",      "signalfd",
    "pidfd",     "io_uring",     "userfaultfd",   "perf event", "BPF",          "namespace", "other"};

std::uint64_t number_at(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

struct AnonymousKind {
  std::string_view name;
  FileKind kind;
};
// As the kernel names them, without brackets.
constexpr AnonymousKind kAnonymous[] = {
    {"eventfd", FileKind::kEventfd},       {"eventpoll", FileKind::kEpoll},     {"inotify", FileKind::kInotify},
    {"fanotify", FileKind::kFanotify},     {"timerfd", FileKind::kTimerfd},     {"signalfd", FileKind::kSignalfd},
    {"pidfd", FileKind::kPidfd},           {"io_uring", FileKind::kIoUring},    {"userfaultfd", FileKind::kUserfaultfd},
    {"perf_event", FileKind::kPerfEvent},  {"bpf-map", FileKind::kBpf},         {"bpf-prog", FileKind::kBpf},
    {"bpf_link", FileKind::kBpf},          {"bpf_iter", FileKind::kBpf},        {"btf", FileKind::kBpf}};

void classify_anonymous(std::string_view name, OpenFile& file) {
  if (name.starts_with("[") && name.ends_with("]")) name = name.substr(1, name.size() - 2);
  file.name = name;
  auto known = std::ranges::find(kAnonymous, name, &AnonymousKind::name);
  file.kind = known == std::end(kAnonymous) ? FileKind::kOther : known->kind;
}

void classify_path(const InodeFacts& inode, OpenFile& file) {
  constexpr std::string_view kGone = " (deleted)", kMemfd = "/memfd:", kSystemV = "/SYSV";
  std::string_view path = file.link;
  file.size = S_ISREG(inode.mode) ? inode.size : 0;
  file.inode = inode.inode;
  file.device = inode.device;
  if (path.starts_with(kMemfd) && path.ends_with(kGone)) {
    file.kind = FileKind::kMemfd;
    path = path.substr(kMemfd.size(), path.size() - kMemfd.size() - kGone.size());
  } else if (path.starts_with(kSystemV) && path.ends_with(kGone)) {
    file.kind = FileKind::kSharedMemory;
    path.remove_suffix(kGone.size());
  } else if (S_ISDIR(inode.mode)) {
    file.kind = FileKind::kDirectory;
  } else if (S_ISFIFO(inode.mode)) {
    file.kind = FileKind::kFifo;
  } else if (S_ISCHR(inode.mode)) {
    file.kind = path.starts_with("/dev/pts/") || path.starts_with("/dev/tty") ? FileKind::kTerminal : FileKind::kCharacterDevice;
  } else if (S_ISBLK(inode.mode)) {
    file.kind = FileKind::kBlockDevice;
  } else {
    bool gone = S_ISREG(inode.mode) ? inode.links == 0 : path.ends_with(kGone);
    file.kind = gone ? FileKind::kDeleted : FileKind::kFile;
    if (gone && path.ends_with(kGone)) path.remove_suffix(kGone.size());
  }
  file.name = path;
}

// Attributes as the kernel has them: a file system that doesn't answer must not hold us up.
InodeFacts facts_of_inode(int folder, const char* name) {
  struct statx found {};
  if (::statx(folder, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MODE | STATX_SIZE | STATX_NLINK | STATX_INO, &found)) return {};
  return {found.stx_mode, found.stx_size, found.stx_nlink, found.stx_ino, gnu_dev_makedev(found.stx_dev_major, found.stx_dev_minor)};
}

// Its attributes read as 80 bytes, and it lies at the top of a file system of its own.
bool is_message_queue(const OpenFile& file, const std::string& path) {
  constexpr std::uint64_t kAttributes = 80;
  constexpr long kMagic = 0x19800202;  // MQUEUE_MAGIC
  bool may_be = (file.kind == FileKind::kFile || file.kind == FileKind::kDeleted) && file.size == kAttributes && file.name.rfind('/') == 0;
  struct statfs system {};
  return may_be && ::statfs(path.c_str(), &system) == 0 && system.f_type == kMagic;
}

bool has_fdinfo(FileKind kind) {
  switch (kind) {
    case FileKind::kEventfd:
    case FileKind::kEpoll:
    case FileKind::kInotify:
    case FileKind::kFanotify:
    case FileKind::kPidfd:
    case FileKind::kIoUring:
      return true;
    default:
      return false;
  }
}

constexpr std::string_view kFileLockNames[] = {"flock", "fcntl", "open file", "lease", "delegation"};
static_assert(std::size(kFileLockNames) == static_cast<std::size_t>(FileLockKind::kKinds));

std::optional<FileLockKind> lock_kind_of(std::string_view word) {
  constexpr std::string_view kKernelNames[] = {"FLOCK", "POSIX", "OFDLCK", "LEASE", "DELEG"};
  auto found = std::ranges::find(kKernelNames, word);
  if (found == std::end(kKernelNames)) return std::nullopt;
  return static_cast<FileLockKind>(found - std::begin(kKernelNames));
}

// "lock:1: POSIX ADVISORY WRITE 4711 08:01:77 0 EOF", with a tab behind the colon, which is no blank here.
// Those that wait for a lock have "->" behind the number, and hold none.
std::optional<FileLock> lock_in(std::span<const std::string_view> words) {
  if (words.size() != 8 || !words[0].starts_with("lock:")) return std::nullopt;
  std::optional<FileLockKind> kind = lock_kind_of(words[1]);
  if (!kind || (words[3] != "READ" && words[3] != "WRITE")) return std::nullopt;
  FileLock lock{*kind, words[3] == "WRITE", number_at(words[6]), std::nullopt};
  if (words[7] != "EOF") lock.until = number_at(words[7]);
  return lock;
}

std::optional<OpenFile> read_one(pid_t tid, int folder, const char* name,
                                 const std::set<std::uint64_t>& locked) {
  char link[4096];
  ssize_t n = ::readlinkat(folder, name, link, sizeof link);
  if (n < 0) return std::nullopt;  // closed meanwhile
  std::string_view target(link, static_cast<std::size_t>(n));
  InodeFacts inode;
  if (target.starts_with("/")) inode = facts_of_inode(folder, name);
  OpenFile file = classify_file(target, inode);
  file.fd = static_cast<int>(number_at(name));
  if (is_message_queue(file, fmt::format("/proc/{}/fd/{}", tid, name))) file.kind = FileKind::kMessageQueue;
  struct stat own {};
  if (::fstatat(folder, name, &own, AT_SYMLINK_NOFOLLOW) == 0) {
    file.readable = own.st_mode & S_IRUSR;
    file.writable = own.st_mode & S_IWUSR;
  }
  bool has_path = target.starts_with("/");
  if (has_fdinfo(file.kind) || (has_path && locked.contains(inode.inode)))
    if (Result<std::string> info = read_file(fmt::format("/proc/{}/fdinfo/{}", tid, name))) add_fdinfo(*info, file);
  return file;
}

}  // namespace

std::string_view name_of(FileLockKind kind) { return kFileLockNames[static_cast<std::size_t>(kind)]; }

std::set<std::uint64_t> locked_inodes(std::string_view locks) {
  std::set<std::uint64_t> inodes;
  for (std::string_view line : split(locks, '\n'))
    for (std::string_view word : words_in(line)) {
      // The only one with two colons in it: "fe:00:10953273".
      std::size_t first = word.find(':'), last = word.rfind(':');
      if (first != word.npos && last > first) inodes.insert(number_at(word.substr(last + 1)));
    }
  return inodes;
}

std::string_view name_of(FileKind kind) { return kFileKindNames[static_cast<std::size_t>(kind)]; }

OpenFile classify_file(std::string_view link, const InodeFacts& inode) {
  OpenFile file;
  file.link = link;
  constexpr std::string_view kAnonymousPrefix = "anon_inode:";
  std::size_t bracket = link.find(":[");
  if (link.starts_with("/")) {
    classify_path(inode, file);
  } else if (link.starts_with(kAnonymousPrefix)) {
    classify_anonymous(link.substr(kAnonymousPrefix.size()), file);
  } else if (bracket != link.npos) {
    std::string_view type = link.substr(0, bracket);
    file.inode = number_at(link.substr(bracket + 2));
    file.kind = type == "socket"  ? FileKind::kSocket
                : type == "pipe"  ? FileKind::kPipe
                : type == "pidfd" ? FileKind::kPidfd
                                  : FileKind::kNamespace;
    if (file.kind == FileKind::kNamespace) file.name = link;
  } else {
    file.name = link;
  }
  return file;
}

void add_fdinfo(std::string_view fdinfo, OpenFile& file) {
  std::uint64_t watches = 0;
  for (std::string_view line : split(fdinfo, '\n')) {
    std::vector<std::string_view> words = words_in(line);
    if (words.size() < 2) continue;
    if (words[0] == "eventfd-count:") file.count = number_at(words[1], 16);
    if (std::optional<FileLock> lock = lock_in(words)) file.locks.push_back(*lock);
    if (words[0] == "inotify" || (words[0] == "fanotify" && !words[1].starts_with("flags:"))) ++watches;
  }
  if (std::string registered = status_field(fdinfo, "UserFiles"); !registered.empty()) file.count = number_at(registered);
  if (std::string process = status_field(fdinfo, "Pid"); !process.starts_with("-")) file.process = static_cast<pid_t>(number_at(process));
  if (file.kind == FileKind::kInotify || file.kind == FileKind::kFanotify) file.count = watches;
  if (file.kind != FileKind::kEpoll) return;
  file.watched = parse_watched(fdinfo);
  file.count = file.watched.size();
}

std::uint64_t open_files_limit(std::string_view limits) { return soft_limit_in(limits, "Max open files").value_or(0); }

Result<OpenFiles> read_open_files(pid_t pid) {
  pid_t tid = living_thread(pid);
  std::string path = fmt::format("/proc/{}/fd", tid);
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) {
    Error error = system_error(fmt::format("list the descriptors of PID {}: open {}", pid, path), errno,
                               privilege_hint({Capability::kDacReadSearch, Capability::kSysPtrace}));
    if (errno == ENOENT || errno == ESRCH) error = {fmt::format("list the descriptors of PID {}: it has ended", pid), "", Exit::kNoTarget};
    return error;
  }
  OpenFiles result;
  Result<std::string> locks = read_file("/proc/locks");
  std::set<std::uint64_t> locked = locks ? locked_inodes(*locks) : std::set<std::uint64_t>();
  errno = 0;
  while (dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    if (std::optional<OpenFile> file = read_one(tid, ::dirfd(folder.get()), entry->d_name, locked))
      result.files.push_back(std::move(*file));
    errno = 0;
  }
  if (errno && result.files.empty())
    return system_error(fmt::format("list the descriptors of PID {}: read {}", pid, path), errno,
                        privilege_hint({Capability::kDacReadSearch, Capability::kSysPtrace}));
  std::ranges::sort(result.files, {}, &OpenFile::fd);
  if (Result<std::string> limits = read_file(fmt::format("/proc/{}/limits", tid))) result.limit = open_files_limit(*limits);
  return result;
}

}  // namespace dwell
