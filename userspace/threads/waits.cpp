// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/waits.h"

#include <fmt/core.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "userspace/base/text.h"
#include "userspace/threads/call_names.h"

namespace dwell {
namespace {

using Args = const std::uint64_t (&)[6];

// What the arguments of a call mean, for the calls that need no more than a name and a descriptor.
enum class Shape : std::uint8_t {
  kDescriptor,  // "<words> <descriptor of argument 0>"
  kPlain,       // "<words>"
};

struct CallWords {
  std::uint64_t call;
  WaitKind kind;
  Shape shape;
  const char* words;
};

constexpr CallWords kCalls[] = {
    {SYS_read, WaitKind::kInput, Shape::kDescriptor, "read of"},
    {SYS_readv, WaitKind::kInput, Shape::kDescriptor, "read of"},
    {SYS_pread64, WaitKind::kInput, Shape::kDescriptor, "read of"},
    {SYS_preadv, WaitKind::kInput, Shape::kDescriptor, "read of"},
    {SYS_preadv2, WaitKind::kInput, Shape::kDescriptor, "read of"},
    {SYS_recvfrom, WaitKind::kInput, Shape::kDescriptor, "receive from"},
    {SYS_recvmsg, WaitKind::kInput, Shape::kDescriptor, "receive from"},
    {SYS_recvmmsg, WaitKind::kInput, Shape::kDescriptor, "receive from"},
    {SYS_write, WaitKind::kOutput, Shape::kDescriptor, "write to"},
    {SYS_writev, WaitKind::kOutput, Shape::kDescriptor, "write to"},
    {SYS_pwrite64, WaitKind::kOutput, Shape::kDescriptor, "write to"},
    {SYS_pwritev, WaitKind::kOutput, Shape::kDescriptor, "write to"},
    {SYS_pwritev2, WaitKind::kOutput, Shape::kDescriptor, "write to"},
    {SYS_sendto, WaitKind::kOutput, Shape::kDescriptor, "send to"},
    {SYS_sendmsg, WaitKind::kOutput, Shape::kDescriptor, "send to"},
    {SYS_sendmmsg, WaitKind::kOutput, Shape::kDescriptor, "send to"},
    {SYS_sendfile, WaitKind::kOutput, Shape::kDescriptor, "send of a file to"},
    {SYS_splice, WaitKind::kInput, Shape::kDescriptor, "splice from"},
    {SYS_fsync, WaitKind::kOutput, Shape::kDescriptor, "sync of"},
    {SYS_fdatasync, WaitKind::kOutput, Shape::kDescriptor, "sync of"},
    {SYS_accept, WaitKind::kConnection, Shape::kDescriptor, "accept of a connection at"},
    {SYS_accept4, WaitKind::kConnection, Shape::kDescriptor, "accept of a connection at"},
    {SYS_connect, WaitKind::kConnection, Shape::kDescriptor, "connect of"},
    {SYS_flock, WaitKind::kFileLock, Shape::kDescriptor, "lock on"},
    {SYS_rt_sigsuspend, WaitKind::kSignal, Shape::kPlain, "any signal"},
    {SYS_pause, WaitKind::kSignal, Shape::kPlain, "any signal"},
    {SYS_rt_sigtimedwait, WaitKind::kSignal, Shape::kPlain, "a signal"},
    {SYS_msgrcv, WaitKind::kMessage, Shape::kPlain, "a message of a System V queue"},
    {SYS_msgsnd, WaitKind::kMessage, Shape::kPlain, "room in a System V message queue"},
    {SYS_semop, WaitKind::kSemaphore, Shape::kPlain, "System V semaphores"},
    {SYS_semtimedop, WaitKind::kSemaphore, Shape::kPlain, "System V semaphores"},
    {SYS_mq_timedreceive, WaitKind::kMessage, Shape::kDescriptor, "a message of"},
    {SYS_mq_timedsend, WaitKind::kMessage, Shape::kDescriptor, "room in"},
    {SYS_io_getevents, WaitKind::kIoRing, Shape::kPlain, "completions of asynchronous I/O"},
    {SYS_io_uring_enter, WaitKind::kIoRing, Shape::kDescriptor, "completions of"},
    {SYS_vfork, WaitKind::kChild, Shape::kPlain, "the child of vfork to call exec or end"},
    {SYS_restart_syscall, WaitKind::kOther, Shape::kPlain,
     "a timed wait that was interrupted and goes on"},
    {SYS_sched_yield, WaitKind::kOther, Shape::kPlain, "its next turn on the CPU"},
    // Described one by one below.
    {SYS_futex, WaitKind::kFutex, Shape::kPlain, "a futex"},
    {SYS_poll, WaitKind::kPoll, Shape::kPlain, "poll"},
    {SYS_ppoll, WaitKind::kPoll, Shape::kPlain, "poll"},
    {SYS_select, WaitKind::kPoll, Shape::kPlain, "select"},
    {SYS_pselect6, WaitKind::kPoll, Shape::kPlain, "select"},
    {SYS_epoll_wait, WaitKind::kPoll, Shape::kPlain, "epoll"},
    {SYS_epoll_pwait, WaitKind::kPoll, Shape::kPlain, "epoll"},
    {SYS_epoll_pwait2, WaitKind::kPoll, Shape::kPlain, "epoll"},
    {SYS_nanosleep, WaitKind::kSleep, Shape::kPlain, "sleep"},
    {SYS_clock_nanosleep, WaitKind::kSleep, Shape::kPlain, "sleep"},
    {SYS_wait4, WaitKind::kChild, Shape::kPlain, "a child"},
    {SYS_waitid, WaitKind::kChild, Shape::kPlain, "a child"},
    {SYS_fcntl, WaitKind::kFileLock, Shape::kDescriptor, "lock on a range of"},
};

const CallWords* words_of(std::uint64_t call) {
  auto found = std::ranges::find(kCalls, call, &CallWords::call);
  return found == std::end(kCalls) ? nullptr : found;
}

template <typename T>
std::optional<T> read_value(const CallTarget& target, std::uint64_t address) {
  T value;
  if (!address || !target.memory(address, &value, sizeof value)) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> read_time(const CallTarget& target, std::uint64_t address) {
  std::optional<timespec> time = read_value<timespec>(target, address);
  if (!time || time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_sec > 9'000'000'000) return std::nullopt;
  return static_cast<std::uint64_t>(time->tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time->tv_nsec);
}

std::string at_most(std::optional<std::uint64_t> ns) {
  return ns ? "at most " + human_duration(*ns) : "for a time";
}

// "socket 5 to ..., pipe 6 and 3 more"
std::string list_of(const std::vector<int>& fds, const CallTarget& target, std::uint64_t not_looked_at = 0) {
  constexpr std::size_t kNamed = 3;
  if (fds.empty()) return not_looked_at ? "descriptors that could not be read" : "nothing";
  std::string words;
  std::size_t named = fds.size() <= kNamed + 1 && !not_looked_at ? fds.size() : std::min(fds.size(), kNamed);
  for (std::size_t i = 0; i < named; ++i) {
    if (i) words += i + 1 == fds.size() && !not_looked_at ? " and " : ", ";
    words += target.descriptor(fds[i]);
  }
  std::uint64_t more = fds.size() - named + not_looked_at;
  if (more) words += fmt::format(" and {} more", more);
  return words;
}

Wait describe_futex(Args args, const CallTarget& target) {
  int operation = static_cast<int>(args[1]) & FUTEX_CMD_MASK;
  bool waits = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET || operation == FUTEX_LOCK_PI ||
               operation == 13 /* FUTEX_LOCK_PI2 */ || operation == FUTEX_WAIT_REQUEUE_PI;
  if (!waits) return {.words = "futex, not to wait"};
  Wait wait{.kind = WaitKind::kFutex, .words = fmt::format("futex at {:#x}", args[0]), .futex = args[0]};
  wait.relative = operation == FUTEX_WAIT;
  wait.timed = args[3] != 0;
  // All but the oldest operation are told the end, by one clock or the other.
  if (wait.timed) wait.until = wait.relative ? at_most(read_time(target, args[3])) : "until a time";
  return wait;
}

Wait describe_poll(std::uint64_t call, Args args, const CallTarget& target) {
  constexpr std::uint64_t kLooked = 64;
  std::vector<int> fds;
  std::uint64_t not_seen = args[1] - std::min(args[1], kLooked);
  for (std::uint64_t i = 0; i < std::min(args[1], kLooked); ++i) {
    std::optional<pollfd> one = read_value<pollfd>(target, args[0] + i * sizeof(pollfd));
    if (!one) ++not_seen;
    if (one && one->fd >= 0) fds.push_back(one->fd);
  }
  Wait wait{.kind = WaitKind::kPoll, .words = "poll of " + list_of(fds, target, not_seen)};
  int milliseconds = static_cast<int>(args[2]);
  wait.timed = call == SYS_poll ? milliseconds >= 0 : args[2] != 0;
  if (!wait.timed) return wait;
  wait.until = at_most(call == SYS_poll ? std::optional(static_cast<std::uint64_t>(milliseconds) * 1'000'000)
                                        : read_time(target, args[2]));
  return wait;
}

// The descriptors in any of the three sets.
std::vector<int> selected(Args args, const CallTarget& target) {
  constexpr int kLooked = 1024;
  std::vector<int> fds;
  for (int fd = 0; fd < std::clamp(static_cast<int>(args[0]), 0, kLooked); ++fd) {
    for (int set = 1; set <= 3; ++set) {
      std::uint64_t at = args[set] ? args[set] + static_cast<std::uint64_t>(fd) / 64 * 8 : 0;
      std::optional<std::uint64_t> bits = read_value<std::uint64_t>(target, at);
      if (!bits || !(*bits >> (fd % 64) & 1)) continue;
      fds.push_back(fd);
      break;
    }
  }
  return fds;
}

Wait describe_select(std::uint64_t call, Args args, const CallTarget& target) {
  std::vector<int> fds = selected(args, target);
  Wait wait{.kind = WaitKind::kPoll, .timed = args[4] != 0, .words = "select of " + list_of(fds, target)};
  if (!wait.timed) return wait;
  if (fds.empty()) {
    wait.kind = WaitKind::kSleep;
    wait.words = "sleep by select";
  }
  std::optional<std::uint64_t> time = read_time(target, args[4]);
  if (call == SYS_select && time)
    time = *time + *time % 1'000'000'000 * 999;  // its fraction is of microseconds
  wait.until = at_most(time);
  return wait;
}

Wait describe_epoll(std::uint64_t call, Args args, const CallTarget& target) {
  int fd = static_cast<int>(args[0]);
  std::optional<std::vector<int>> watched = target.watched_by(fd);
  Wait wait{.kind = WaitKind::kPoll,
            .words = fmt::format("epoll {}{}", fd, watched ? " of " + list_of(*watched, target) : "")};
  int milliseconds = static_cast<int>(args[3]);
  wait.timed = call == SYS_epoll_pwait2 ? args[3] != 0 : milliseconds >= 0;
  if (!wait.timed) return wait;
  wait.until =
      at_most(call == SYS_epoll_pwait2 ? read_time(target, args[3])
                                       : std::optional(static_cast<std::uint64_t>(milliseconds) * 1'000'000));
  return wait;
}

Wait describe_sleep(std::uint64_t call, Args args, const CallTarget& target) {
  bool until = call == SYS_clock_nanosleep && args[1] & TIMER_ABSTIME;
  std::optional<std::uint64_t> time = read_time(target, call == SYS_nanosleep ? args[0] : args[2]);
  Wait wait{.kind = WaitKind::kSleep, .timed = true, .words = "sleep"};
  if (until)
    wait.words += " until a time";
  else if (time)
    wait.words += " of " + human_duration(*time);
  return wait;
}

Wait describe_child(std::uint64_t call, Args args, const CallTarget& target) {
  Wait wait{.kind = WaitKind::kChild, .words = "the end of "};
  int pid = static_cast<int>(call == SYS_wait4 ? args[0] : args[1]);
  bool any = call == SYS_wait4 ? pid == -1 : args[0] == P_ALL;
  bool group = call == SYS_wait4 ? pid <= 0 : args[0] == P_PGID;
  if (any)
    wait.words += "any child";
  else if (call == SYS_waitid && args[0] == 3 /* P_PIDFD */)
    wait.words += fmt::format("the child of pidfd {}", pid);
  else if (group)
    wait.words += "a child of a process group";
  else
    wait.words += target.child ? target.child(pid) : fmt::format("child {}", pid);
  return wait;
}

// A path in the memory of the process, read page by page, for the next page may not be there.
std::string read_path(const CallTarget& target, std::uint64_t address) {
  constexpr std::size_t kLongest = 4096, kPage = 4096;
  std::string path;
  while (address && path.size() < kLongest) {
    char piece[kPage];
    std::size_t size = kPage - address % kPage;
    if (!target.memory(address, piece, size)) break;
    std::size_t length = ::strnlen(piece, size);
    path.append(piece, length);
    if (length < size) return path.substr(0, kLongest);
    address += size;
  }
  return "";
}

// Calls that end in "at" have the folder before the path.
std::string path_words(std::uint64_t call, Args args, const CallTarget& target) {
  int index = path_argument(call);
  std::string path = read_path(target, args[index]);
  int folder = index > 0 ? static_cast<int>(args[index - 1]) : AT_FDCWD;
  if (path.empty() && index > 0 && folder >= 0) return target.descriptor(folder);
  if (path.empty()) return "a file";
  std::string system = target.file_system ? target.file_system(folder, path) : "";
  return system.empty() ? path : path + ", " + system;
}

// Calls that have no words of their own.
Wait describe_by_name(std::uint64_t call, Args args, const CallTarget& target) {
  Wait wait{.words = name_of_call(call)};
  std::string_view name = wait.words;
  if (name == "openat" || name == "openat2" || name == "creat") wait.words = "open";
  if (path_argument(call) >= 0)
    wait.words += " of " + path_words(call, args, target);
  else if (begins_with_descriptor(call))
    wait.words += " of " + target.descriptor(static_cast<int>(args[0]));
  return wait;
}

bool takes_time(std::uint64_t call, Args args) {
  switch (call) {
    case SYS_rt_sigtimedwait:
      return args[2] != 0;
    case SYS_recvmmsg:
      return args[4] != 0;
    case SYS_semtimedop:
      return args[3] != 0;
    case SYS_mq_timedreceive:
    case SYS_mq_timedsend:
    case SYS_io_getevents:
      return args[4] != 0;
    default:
      return call == SYS_restart_syscall || call == SYS_sched_yield;
  }
}

}  // namespace

std::string name_of_call(std::uint64_t call) {
  std::string_view name = call_name(call);
  return name.empty() ? fmt::format("system call {}", call) : std::string(name);
}

Wait describe_wait(std::uint64_t call, Args args, const CallTarget& target) {
  switch (call) {
    case SYS_futex:
      return describe_futex(args, target);
    case SYS_poll:
    case SYS_ppoll:
      return describe_poll(call, args, target);
    case SYS_select:
    case SYS_pselect6:
      return describe_select(call, args, target);
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
      return describe_epoll(call, args, target);
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
      return describe_sleep(call, args, target);
    case SYS_wait4:
    case SYS_waitid:
      return describe_child(call, args, target);
    default:
      break;
  }
  const CallWords* words = words_of(call);
  if (!words) return describe_by_name(call, args, target);
  Wait wait{.kind = words->kind, .timed = takes_time(call, args), .words = words->words};
  if (words->shape == Shape::kDescriptor) wait.words += " " + target.descriptor(static_cast<int>(args[0]));
  if (call == SYS_splice) wait.words += " to " + target.descriptor(static_cast<int>(args[2]));
  return wait;
}

}  // namespace dwell
