// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/kinds.h"

#include <fmt/core.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <string>
#include <string_view>

namespace dwell::files {
namespace {

constexpr std::uint32_t kMessageQueueFiles = 0x19800202, kProcessFiles = 0x50494446, kPipeFiles = 0x50495045;  // linux/magic.h, in part
constexpr std::uint32_t kKernelMinorBits = 20;  // of its dev_t

bool is_terminal_device(std::uint32_t device) {
  std::uint32_t major = device >> kKernelMinorBits;
  return major == TTY_MAJOR || (major >= UNIX98_PTY_SLAVE_MAJOR && major < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT);
}

struct Call {
  long number;
  dwell_fd_call call;
};
constexpr Call kCalls[] = {
    {SYS_open, DWELL_FD_CALL_RETURNS},          {SYS_openat, DWELL_FD_CALL_RETURNS},          {SYS_openat2, DWELL_FD_CALL_RETURNS},
    {SYS_creat, DWELL_FD_CALL_RETURNS},         {SYS_open_by_handle_at, DWELL_FD_CALL_RETURNS}, {SYS_socket, DWELL_FD_CALL_RETURNS},
    {SYS_accept, DWELL_FD_CALL_RETURNS},        {SYS_accept4, DWELL_FD_CALL_RETURNS},         {SYS_dup, DWELL_FD_CALL_RETURNS},
    {SYS_eventfd, DWELL_FD_CALL_RETURNS},       {SYS_eventfd2, DWELL_FD_CALL_RETURNS},        {SYS_epoll_create, DWELL_FD_CALL_RETURNS},
    {SYS_epoll_create1, DWELL_FD_CALL_RETURNS}, {SYS_memfd_create, DWELL_FD_CALL_RETURNS},    {SYS_inotify_init, DWELL_FD_CALL_RETURNS},
    {SYS_inotify_init1, DWELL_FD_CALL_RETURNS}, {SYS_fanotify_init, DWELL_FD_CALL_RETURNS},   {SYS_timerfd_create, DWELL_FD_CALL_RETURNS},
    {SYS_userfaultfd, DWELL_FD_CALL_RETURNS},   {SYS_pidfd_open, DWELL_FD_CALL_RETURNS},      {SYS_pidfd_getfd, DWELL_FD_CALL_RETURNS},
    {SYS_perf_event_open, DWELL_FD_CALL_RETURNS}, {SYS_io_uring_setup, DWELL_FD_CALL_RETURNS}, {SYS_mq_open, DWELL_FD_CALL_RETURNS},
    {SYS_fsopen, DWELL_FD_CALL_RETURNS},        {SYS_fsmount, DWELL_FD_CALL_RETURNS},         {SYS_fspick, DWELL_FD_CALL_RETURNS},
    {SYS_open_tree, DWELL_FD_CALL_RETURNS},     {447 /* memfd_secret */, DWELL_FD_CALL_RETURNS}, {444 /* landlock_create_ruleset */, DWELL_FD_CALL_RETURNS},
    {SYS_fcntl, DWELL_FD_CALL_FCNTL},           {SYS_signalfd, DWELL_FD_CALL_SIGNALFD},       {SYS_signalfd4, DWELL_FD_CALL_SIGNALFD},
    {SYS_bpf, DWELL_FD_CALL_BPF},               {SYS_dup2, DWELL_FD_CALL_DUP_TO},             {SYS_dup3, DWELL_FD_CALL_DUP_TO},
    {SYS_pipe, DWELL_FD_CALL_PAIR_1},           {SYS_pipe2, DWELL_FD_CALL_PAIR_1},            {SYS_socketpair, DWELL_FD_CALL_PAIR_4},
    {SYS_recvmsg, DWELL_FD_CALL_MESSAGE},       {SYS_recvmmsg, DWELL_FD_CALL_MESSAGES},       {SYS_close, DWELL_FD_CALL_CLOSE},
    {436 /* close_range */, DWELL_FD_CALL_CLOSE_RANGE},
};

}  // namespace

// The link that /proc/PID/fd would show, as far as it tells kinds apart.
FileKind kind_of(const dwell_fd_opened& record) {
  std::string_view name(record.name, ::strnlen(record.name, DWELL_FD_NAME));
  InodeFacts inode{record.mode};
  if (record.magic == kMessageQueueFiles && S_ISREG(record.mode)) return FileKind::kMessageQueue;
  if (record.magic == kProcessFiles) return FileKind::kPidfd;
  if (record.magic == NSFS_MAGIC) return FileKind::kNamespace;
  if (S_ISSOCK(record.mode)) return FileKind::kSocket;
  if (S_ISFIFO(record.mode)) return record.magic == kPipeFiles ? FileKind::kPipe : FileKind::kFifo;
  if (S_ISCHR(record.mode)) return is_terminal_device(record.device) ? FileKind::kTerminal : FileKind::kCharacterDevice;
  if (record.magic == ANON_INODE_FS_MAGIC) return classify_file(fmt::format("anon_inode:{}", name), inode).kind;
  if (S_ISREG(record.mode) && name.starts_with("memfd:")) return FileKind::kMemfd;
  if (S_ISDIR(record.mode)) return FileKind::kDirectory;
  return S_ISBLK(record.mode) ? FileKind::kBlockDevice : FileKind::kFile;
}

Opening opening_of(std::uint16_t call) {
  switch (call) {
    case SYS_accept:
    case SYS_accept4:
      return Opening::kAccepted;
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3:
    case SYS_fcntl:
      return Opening::kDuplicated;
    case SYS_recvmsg:
    case SYS_recvmmsg:
      return Opening::kReceived;
    case SYS_pidfd_getfd:
      return Opening::kFetched;
    case SYS_io_uring_enter:
    case DWELL_FD_CALL_UNKNOWN:
      return Opening::kByRing;
  }
  return Opening::kOpened;
}

std::array<std::uint8_t, DWELL_FD_CALLS> descriptor_calls() {
  std::array<std::uint8_t, DWELL_FD_CALLS> calls{};
  for (const Call& call : kCalls) calls[static_cast<std::size_t>(call.number)] = static_cast<std::uint8_t>(call.call);
  return calls;
}

std::string_view name_of(Opening opening) {
  switch (opening) {
    case Opening::kOpened: return "opened";
    case Opening::kAccepted: return "accepted";
    case Opening::kDuplicated: return "dup";
    case Opening::kReceived: return "received";
    case Opening::kFetched: return "pidfd_getfd";
    case Opening::kByRing: return "io_uring";
    case Opening::kBefore: return "before";
    case Opening::kInherited: return "inherited";
    default: return "unseen";
  }
}

}  // namespace dwell::files
