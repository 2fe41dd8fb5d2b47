// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/other_waits.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <map>

#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/process/holders.h"
#include "userspace/process/process.h"
#include "userspace/threads/own_ids.h"

namespace dwell {
namespace {

pid_t id_in(std::string_view text) {
  pid_t id = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc{} && end == text.data() + text.size() ? id : 0;
}

// Whose end a process may be told of: its children, and what it traces. With what these have started, for orphans may become
// its children.
std::vector<pid_t> descendants_of(pid_t parent) {
  std::map<pid_t, std::vector<pid_t>> children;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    pid_t pid = id_in(at->path().filename().native());
    if (!pid) continue;
    Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 16);
    if (!status) continue;
    children[id_in(status_field(*status, "PPid"))].push_back(pid);
    if (pid_t tracer = id_in(status_field(*status, "TracerPid"))) children[tracer].push_back(pid);
  }
  std::vector<pid_t> found = children[parent];
  for (std::size_t i = 0; i < found.size(); ++i)
    for (pid_t child : children[found[i]])
      if (child != parent && std::ranges::find(found, child) == found.end()) found.push_back(child);
  return found;
}

pid_t process_of_pidfd(pid_t pid, int fd) {
  Result<std::string> info = read_file(fmt::format("/proc/{}/fdinfo/{}", pid, fd), 1 << 12);
  return info ? id_in(status_field(*info, "Pid")) : 0;
}

std::string link_of_descriptor(pid_t pid, int fd) {
  std::error_code error;
  return std::filesystem::read_symlink(fmt::format("/proc/{}/fd/{}", pid, fd), error).native();
}

std::string eventfd_id(pid_t pid, int fd) {
  Result<std::string> info = read_file(fmt::format("/proc/{}/fdinfo/{}", pid, fd), 1 << 12);
  return info ? status_field(*info, "eventfd-id") : "";
}

bool shares_ipc_namespace(pid_t pid) {
  struct stat ours {}, theirs {};
  return ::stat("/proc/self/ns/ipc", &ours) == 0 && ::stat(fmt::format("/proc/{}/ns/ipc", pid).c_str(), &theirs) == 0 &&
         ours.st_ino == theirs.st_ino;
}

WaitEnds last_touched(const BlockedCall& call, const std::string& what, pid_t last) {
  WaitEnds ends;
  ends.words = what;
  if (last > 0) ends.words += ", last changed by " + process_words({last}, call.pid);
  return ends;
}

std::optional<WaitEnds> ends_of_semaphore(const BlockedCall& call) {
  sembuf operation{};
  if (!call.target->memory(call.args[1], &operation, sizeof operation)) return std::nullopt;
  int set = static_cast<int>(call.args[0]);
  std::string what = fmt::format("number {} of set {}", operation.sem_num, set);
  return last_touched(call, what, shares_ipc_namespace(call.pid) ? ::semctl(set, operation.sem_num, GETPID) : 0);
}

std::optional<WaitEnds> ends_of_queue(const BlockedCall& call) {
  int queue = static_cast<int>(call.args[0]);
  msqid_ds state{};
  bool known = shares_ipc_namespace(call.pid) && ::msgctl(queue, IPC_STAT, &state) == 0;
  bool receives = call.call == SYS_msgrcv;
  return last_touched(call, fmt::format("queue {}", queue), known ? (receives ? state.msg_lspid : state.msg_lrpid) : 0);
}

}  // namespace

std::optional<WaitEnds> ends_of_child_wait(const BlockedCall& call) {
  bool is_wait4 = call.call == SYS_wait4, is_vfork = call.call == SYS_vfork;
  if (!is_wait4 && !is_vfork && call.call != SYS_waitid) return std::nullopt;
  WaitEnds ends;
  ends.open = false;
  int id = static_cast<int>(is_wait4 ? call.args[0] : call.args[1]);
  bool one = is_wait4 ? id > 0 : call.args[0] == P_PID;
  if (call.call == SYS_waitid && call.args[0] == 3 /* P_PIDFD */) {
    if (pid_t child = process_of_pidfd(call.pid, id)) ends.wakers = {child};
  } else if (one) {
    if (std::optional<pid_t> child = child_known_as(call.pid, id)) ends.wakers = {*child};
  } else {
    ends.wakers = descendants_of(call.pid);
  }
  ends.open = ends.wakers.empty();
  ends.other_side = ends.wakers;
  if (!one && !ends.open) ends.words = "which are " + process_words(ends.wakers, call.pid);
  if (!one && ends.wakers.size() == 1) ends.words = "which is " + process_words(ends.wakers, call.pid);
  if (is_vfork) ends.words.clear();
  return ends;
}

std::optional<FileLockHolder> lock_holder(std::string_view locks, pid_t pid) {
  // "7: POSIX  ADVISORY  WRITE 4711 08:01:99 0 EOF", and those that wait for it: "7: -> POSIX  ADVISORY  WRITE 4712 ..."
  std::string_view number;
  FileLockHolder holder;
  for (std::string_view line : split(locks, '\n')) {
    std::vector<std::string_view> words = words_in(line);
    if (words.size() < 6) continue;
    bool waits = words[1] == "->";
    if (waits && words.size() > 6 && words[0] == number && words[5] == std::to_string(pid)) return holder;
    if (waits) continue;
    number = words[0];
    holder = {id_in(words[4]), words[1] == "POSIX"};
  }
  return std::nullopt;
}

std::optional<WaitEnds> ends_of_file_lock(const BlockedCall& call) {
  constexpr std::uint64_t kOpenFileWait = 38;  // F_OFD_SETLKW
  bool by_fcntl = call.call == SYS_fcntl && (call.args[1] == F_SETLKW || call.args[1] == kOpenFileWait);
  if (!by_fcntl && call.call != SYS_flock) return std::nullopt;
  Result<std::string> locks = read_file("/proc/locks");
  std::optional<FileLockHolder> holder = locks ? lock_holder(*locks, call.pid) : std::nullopt;
  WaitEnds ends;
  if (!holder || holder->pid <= 0) return ends;
  ends.open = false;
  ends.wakers = ends.other_side = {holder->pid};
  ends.words = (holder->of_process ? "held by " : "taken by ") + process_words(ends.wakers, call.pid);
  if (!holder->of_process) ends.unproved = "the lock belongs to an open file, which others may have";
  if (call.call == SYS_fcntl && call.args[1] == kOpenFileWait) ends.unproved = "the lock belongs to an open file, which others may have";
  return ends;
}

// Who else has an eventfd is told by its number in fdinfo; a queue has a name.
std::optional<WaitEnds> ends_of_shared_object(const BlockedCall& call) {
  constexpr std::string_view kEventfd = "anon_inode:[eventfd]";
  constexpr std::uint64_t kCalls[] = {SYS_read, SYS_readv, SYS_write, SYS_writev, SYS_mq_timedreceive, SYS_mq_timedsend};
  if (std::ranges::find(kCalls, call.call) == std::end(kCalls)) return std::nullopt;
  bool is_queue = call.call == SYS_mq_timedreceive || call.call == SYS_mq_timedsend;
  int fd = static_cast<int>(call.args[0]);
  std::string link = link_of_descriptor(call.pid, fd);
  if (!is_queue && link != kEventfd) return std::nullopt;
  std::string id = is_queue ? "" : eventfd_id(call.pid, fd);
  WaitEnds ends;
  for (const Holder& holder : find_holders({link}).of(link)) {
    bool same = is_queue || (!id.empty() && eventfd_id(holder.pid, holder.fd) == id);
    if (same && std::ranges::find(ends.wakers, holder.pid) == ends.wakers.end()) ends.wakers.push_back(holder.pid);
  }
  ends.other_side = ends.wakers;
  // Anybody may open a queue.
  ends.open = is_queue || ends.wakers.empty();
  ends.unproved = "an eventfd may be on its way to others, or be written by the kernel";
  if (!ends.wakers.empty()) ends.words = "which is open in " + process_words(ends.wakers, call.pid);
  return ends;
}

std::optional<WaitEnds> ends_of_system_v(const BlockedCall& call) {
  switch (call.call) {
    case SYS_semop:
    case SYS_semtimedop:
      return ends_of_semaphore(call);
    case SYS_msgrcv:
    case SYS_msgsnd:
      return ends_of_queue(call);
    default:
      return std::nullopt;
  }
}

}  // namespace dwell
