// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/open_regular.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <cctype>
#include <cerrno>
#include <mutex>
#include <set>
#include <string_view>

#include "userspace/base/living_thread.h"

namespace dwell {
namespace {

FileOpener& opener() {
  static FileOpener opener;
  return opener;
}

std::mutex refused_mutex;
std::set<std::string>& refused_paths() {
  static std::set<std::string> paths;
  return paths;
}
bool is_refused(const std::string& path) {
  std::lock_guard lock(refused_mutex);
  return refused_paths().contains(path);
}

// "/proc/77/root" of "/proc/77/root/usr/lib/x"; "" of what leads into no process's root.
std::string process_root(std::string_view path) {
  constexpr std::string_view kProc = "/proc/", kRoot = "/root/";
  if (!path.starts_with(kProc)) return {};
  std::size_t end = kProc.size();
  while (end < path.size() && std::isdigit(static_cast<unsigned char>(path[end]))) ++end;
  if (end == kProc.size() || !path.substr(end).starts_with(kRoot)) return {};
  return std::string(path.substr(0, end + kRoot.size() - 1));
}

// A descriptor that stands for the file and has not opened it.
UniqueFd point_at(const std::string& path, const std::string& root, int flags) {
  if (root.empty()) return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC | flags));
  UniqueFd folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return folder;
  open_how how{};
  how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC | flags);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  std::string name = path.substr(root.size());
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder.get(), name.c_str(), &how, sizeof how)));
}

std::uint64_t version_of(const struct stat& status) {
  std::uint64_t time = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                       static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  std::uint64_t version = time ^ static_cast<std::uint64_t>(status.st_size) << 1 ^
                          static_cast<std::uint64_t>(status.st_ino) << 40;
  return version ? version : 1;
}

Result<RegularFile> open_pointed(const FilePointer& pointer, const std::string& path) {
  RegularFile file;
  // O_NONBLOCK: a lease of another process's must not hold us up.
  std::string itself = fmt::format("/proc/self/fd/{}", pointer.fd.get());
  file.fd.reset(::open(itself.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.fd.valid()) return system_error("open " + path, errno);
  file.size = static_cast<std::uint64_t>(pointer.status.st_size);
  file.version = version_of(pointer.status);
  return file;
}

// As the kernel knows it: a network or user-space file system that hangs is not asked.
bool status_without_asking(int folder, const char* name, struct stat& status) {
  struct statx known {};
  int flags = AT_STATX_DONT_SYNC | (*name ? 0 : AT_EMPTY_PATH);
  if (::statx(folder, name, flags, STATX_BASIC_STATS, &known) != 0) return false;
  status = {};
  status.st_mode = known.stx_mode;
  status.st_uid = known.stx_uid;
  status.st_ino = known.stx_ino;
  status.st_dev = ::makedev(known.stx_dev_major, known.stx_dev_minor);
  status.st_size = static_cast<off_t>(known.stx_size);
  status.st_mtim = {known.stx_mtime.tv_sec, known.stx_mtime.tv_nsec};
  status.st_ctim = {known.stx_ctime.tv_sec, known.stx_ctime.tv_nsec};
  return true;
}

Result<FilePointer> regular_only(UniqueFd pointer, const std::string& path) {
  FilePointer file{std::move(pointer), {}};
  if (!file.fd.valid()) return system_error("open " + path, errno);
  if (!status_without_asking(file.fd.get(), "", file.status)) return system_error("stat " + path, errno);
  if (!S_ISREG(file.status.st_mode)) return Error{path + ": not a regular file", "", Exit::kBadInput};
  return file;
}

}  // namespace

void set_file_opener(FileOpener asked) { opener() = std::move(asked); }
const FileOpener& file_opener() { return opener(); }

Result<RegularFile> open_regular(const std::string& path, const std::string& root) {
  if (opener()) return opener()({FileFormat::kElf, path, root});
  Result<FilePointer> pointer = point_at_regular(path, root);
  if (!pointer) return pointer.error();
  return open_pointed(*pointer, path);
}

void refuse_to_open(const std::string& path) {
  std::lock_guard lock(refused_mutex);
  refused_paths().insert(path);
}

bool known_status(const std::string& path, struct stat& status) {
  return status_without_asking(AT_FDCWD, path.c_str(), status);
}

Result<FilePointer> point_at_regular(const std::string& path, const std::string& root) {
  if (is_refused(path)) return Error{"open " + path + ": its file system does not answer", ""};
  return regular_only(point_at(path, root.empty() ? process_root(path) : root, 0), path);
}

bool has_our_root(pid_t pid) {
  pid = living_thread(pid);
  struct stat ours {}, theirs {}, our_mounts {}, their_mounts {};
  return ::stat("/", &ours) == 0 && ::stat(fmt::format("/proc/{}/root/.", pid).c_str(), &theirs) == 0 &&
         ::stat("/proc/self/ns/mnt", &our_mounts) == 0 &&
         ::stat(fmt::format("/proc/{}/ns/mnt", pid).c_str(), &their_mounts) == 0 && ours.st_dev == theirs.st_dev &&
         ours.st_ino == theirs.st_ino && our_mounts.st_ino == their_mounts.st_ino;
}

Result<RegularFile> open_owned_regular(const std::string& path, uid_t owner) {
  Result<FilePointer> pointer = regular_only(point_at(path, process_root(path), O_NOFOLLOW), path);
  if (!pointer) return pointer.error();
  uid_t whose = pointer->status.st_uid;
  if (whose != 0 && whose != owner)
    return Error{fmt::format("{}: it belongs to user {}, not to the process's", path, whose), "", Exit::kBadInput};
  return open_pointed(*pointer, path);
}

}  // namespace dwell
