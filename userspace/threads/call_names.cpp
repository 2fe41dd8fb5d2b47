// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/call_names.h"

#include <algorithm>
#include <iterator>

namespace dwell {
namespace {

// By number, as arch/x86/entry/syscalls/syscall_64.tbl has them: two runs, with nothing in between.
constexpr std::string_view kFirstNames[] = {
    "read", "write", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap", "mprotect", "munmap", "brk",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "ioctl", "pread64", "pwrite64", "readv", "writev", "access", "pipe",
    "select", "sched_yield", "mremap", "msync", "mincore", "madvise", "shmget", "shmat", "shmctl", "dup", "dup2", "pause",
    "nanosleep", "getitimer", "alarm", "setitimer", "getpid", "sendfile", "socket", "connect", "accept", "sendto", "recvfrom",
    "sendmsg", "recvmsg", "shutdown", "bind", "listen", "getsockname", "getpeername", "socketpair", "setsockopt", "getsockopt",
    "clone", "fork", "vfork", "execve", "exit", "wait4", "kill", "uname", "semget", "semop", "semctl", "shmdt", "msgget",
    "msgsnd", "msgrcv", "msgctl", "fcntl", "flock", "fsync", "fdatasync", "truncate", "ftruncate", "getdents", "getcwd", "chdir",
    "fchdir", "rename", "mkdir", "rmdir", "creat", "link", "unlink", "symlink", "readlink", "chmod", "fchmod", "chown", "fchown",
    "lchown", "umask", "gettimeofday", "getrlimit", "getrusage", "sysinfo", "times", "ptrace", "getuid", "syslog", "getgid",
    "setuid", "setgid", "geteuid", "getegid", "setpgid", "getppid", "getpgrp", "setsid", "setreuid", "setregid", "getgroups",
    "setgroups", "setresuid", "getresuid", "setresgid", "getresgid", "getpgid", "setfsuid", "setfsgid", "getsid", "capget",
    "capset", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_sigsuspend", "sigaltstack", "utime", "mknod", "uselib",
    "personality", "ustat", "statfs", "fstatfs", "sysfs", "getpriority", "setpriority", "sched_setparam", "sched_getparam",
    "sched_setscheduler", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval",
    "mlock", "munlock", "mlockall", "munlockall", "vhangup", "modify_ldt", "pivot_root", "_sysctl", "prctl", "arch_prctl",
    "adjtimex", "setrlimit", "chroot", "sync", "acct", "settimeofday", "mount", "umount2", "swapon", "swapoff", "reboot",
    "sethostname", "setdomainname", "iopl", "ioperm", "create_module", "init_module", "delete_module", "get_kernel_syms",
    "query_module", "quotactl", "nfsservctl", "getpmsg", "putpmsg", "afs_syscall", "tuxcall", "security", "gettid", "readahead",
    "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    "removexattr", "lremovexattr", "fremovexattr", "tkill", "time", "futex", "sched_setaffinity", "sched_getaffinity",
    "set_thread_area", "io_setup", "io_destroy", "io_getevents", "io_submit", "io_cancel", "get_thread_area", "lookup_dcookie",
    "epoll_create", "epoll_ctl_old", "epoll_wait_old", "remap_file_pages", "getdents64", "set_tid_address", "restart_syscall",
    "semtimedop", "fadvise64", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete",
    "clock_settime", "clock_gettime", "clock_getres", "clock_nanosleep", "exit_group", "epoll_wait", "epoll_ctl", "tgkill",
    "utimes", "vserver", "mbind", "set_mempolicy", "get_mempolicy", "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive",
    "mq_notify", "mq_getsetattr", "kexec_load", "waitid", "add_key", "request_key", "keyctl", "ioprio_set", "ioprio_get",
    "inotify_init", "inotify_add_watch", "inotify_rm_watch", "migrate_pages", "openat", "mkdirat", "mknodat", "fchownat",
    "futimesat", "newfstatat", "unlinkat", "renameat", "linkat", "symlinkat", "readlinkat", "fchmodat", "faccessat", "pselect6",
    "ppoll", "unshare", "set_robust_list", "get_robust_list", "splice", "tee", "sync_file_range", "vmsplice", "move_pages",
    "utimensat", "epoll_pwait", "signalfd", "timerfd_create", "eventfd", "fallocate", "timerfd_settime", "timerfd_gettime",
    "accept4", "signalfd4", "eventfd2", "epoll_create1", "dup3", "pipe2", "inotify_init1", "preadv", "pwritev",
    "rt_tgsigqueueinfo", "perf_event_open", "recvmmsg", "fanotify_init", "fanotify_mark", "prlimit64", "name_to_handle_at",
    "open_by_handle_at", "clock_adjtime", "syncfs", "sendmmsg", "setns", "getcpu", "process_vm_readv", "process_vm_writev",
    "kcmp", "finit_module", "sched_setattr", "sched_getattr", "renameat2", "seccomp", "getrandom", "memfd_create",
    "kexec_file_load", "bpf", "execveat", "userfaultfd", "membarrier", "mlock2", "copy_file_range", "preadv2", "pwritev2",
    "pkey_mprotect", "pkey_alloc", "pkey_free", "statx", "io_pgetevents", "rseq", "uretprobe", "uprobe"};

constexpr std::uint64_t kSecondRun = 424;
constexpr std::string_view kSecondNames[] = {
    "pidfd_send_signal", "io_uring_setup", "io_uring_enter", "io_uring_register", "open_tree", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "pidfd_open", "clone3", "close_range", "openat2", "pidfd_getfd", "faccessat2", "process_madvise",
    "epoll_pwait2", "mount_setattr", "quotactl_fd", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    "memfd_secret", "process_mrelease", "futex_waitv", "set_mempolicy_home_node", "cachestat", "fchmodat2", "map_shadow_stack",
    "futex_wake", "futex_wait", "futex_requeue", "statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr",
    "lsm_list_modules", "mseal", "setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree_attr", "file_getattr",
    "file_setattr"};

struct CallArgument {
  std::string_view name;
  int index;
};

// Where the argument is that names a file, of calls that wait for its file system.
constexpr CallArgument kPathArguments[] = {
    {"open", 0},        {"stat", 0},       {"lstat", 0},       {"access", 0},     {"truncate", 0},   {"rename", 0},      {"mkdir", 0},
    {"rmdir", 0},       {"creat", 0},      {"link", 0},        {"unlink", 0},     {"symlink", 1},    {"readlink", 0},    {"chmod", 0},
    {"chown", 0},       {"lchown", 0},     {"utime", 0},       {"utimes", 0},     {"mknod", 0},      {"statfs", 0},      {"chdir", 0},
    {"chroot", 0},      {"mount", 1},      {"umount2", 0},     {"swapon", 0},     {"swapoff", 0},    {"execve", 0},      {"setxattr", 0},
    {"lsetxattr", 0},   {"getxattr", 0},   {"lgetxattr", 0},   {"listxattr", 0},  {"llistxattr", 0}, {"removexattr", 0}, {"lremovexattr", 0},
    {"openat", 1},      {"mkdirat", 1},    {"mknodat", 1},     {"fchownat", 1},   {"futimesat", 1},  {"newfstatat", 1},  {"unlinkat", 1},
    {"renameat", 1},    {"linkat", 1},     {"symlinkat", 2},   {"readlinkat", 1}, {"fchmodat", 1},   {"faccessat", 1},   {"utimensat", 1},
    {"renameat2", 1},   {"execveat", 1},   {"statx", 1},       {"openat2", 1},    {"faccessat2", 1}, {"fchmodat2", 1},   {"open_tree", 1},
    {"inotify_add_watch", 1}, {"name_to_handle_at", 1}, {"acct", 0}, {"uselib", 0}, {"pivot_root", 0}, {"fanotify_mark", 4}};

// Calls whose first argument is a descriptor that they wait for.
constexpr std::string_view kOfDescriptors[] = {
    "close",      "fstat",     "lseek",     "ioctl",      "fsync",     "fdatasync", "ftruncate",  "getdents",   "getdents64", "fchdir",
    "fchmod",     "fchown",    "fstatfs",   "fallocate",  "readahead", "fadvise64", "fsetxattr",  "fgetxattr",  "flistxattr", "fremovexattr",
    "sync_file_range", "syncfs", "setsockopt", "getsockopt", "shutdown", "bind", "listen", "getsockname", "getpeername", "copy_file_range",
    "tee",        "vmsplice",  "finit_module", "setns",   "userfaultfd", "perf_event_open", "pidfd_send_signal", "eventfd2", "timerfd_settime"};

}  // namespace

std::string_view call_name(std::uint64_t call) {
  if (call < std::size(kFirstNames)) return kFirstNames[call];
  if (call >= kSecondRun && call - kSecondRun < std::size(kSecondNames)) return kSecondNames[call - kSecondRun];
  return "";
}

int path_argument(std::uint64_t call) {
  auto found = std::ranges::find(kPathArguments, call_name(call), &CallArgument::name);
  return found == std::end(kPathArguments) ? -1 : found->index;
}

bool begins_with_descriptor(std::uint64_t call) {
  return std::ranges::find(kOfDescriptors, call_name(call)) != std::end(kOfDescriptors);
}

}  // namespace dwell
