// SPDX-License-Identifier: Apache-2.0
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "userspace/base/confinement.h"

namespace dwell {
namespace {

constexpr int kComputing[] = {
    SYS_read,          SYS_pread64,       SYS_readv,          SYS_write,           SYS_writev,        SYS_lseek,
    SYS_fstat,         SYS_close,         SYS_sendmsg,        SYS_recvmsg,         SYS_poll,          SYS_mremap,
    SYS_munmap,        SYS_madvise,       SYS_brk,            SYS_futex,           SYS_clock_gettime, SYS_clock_nanosleep,
    SYS_gettimeofday,  SYS_sched_yield,   SYS_rt_sigreturn,   SYS_rt_sigprocmask,  SYS_rt_sigaction,  SYS_sigaltstack,
    SYS_exit,          SYS_exit_group,    SYS_gettid,         SYS_getpid,          SYS_set_robust_list, SYS_rseq,
    SYS_getrandom,     SYS_sched_getaffinity, SYS_restart_syscall, SYS_set_tid_address, SYS_getrusage};
constexpr int kOpening[] = {SYS_open, SYS_openat, SYS_openat2, SYS_newfstatat, SYS_stat, SYS_lstat, SYS_statx,
                            SYS_readlink, SYS_readlinkat, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_geteuid,
                            SYS_getdents64};

constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr), kArchitecture = offsetof(seccomp_data, arch);
constexpr std::uint32_t argument(int index) {  // its lower half
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * static_cast<std::size_t>(index));
}

class Filter {
 public:
  Filter() {
    load(kArchitecture);
    allow_next_if(BPF_JEQ, AUDIT_ARCH_X86_64);
    give(SECCOMP_RET_KILL_PROCESS);
    load(kNumber);
  }
  void allow(int call) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    give(SECCOMP_RET_ALLOW);
  }
  // Allowed if none (or, `all`: all) of these bits are set in an argument.
  void allow_if_bits(int call, int index, std::uint32_t bits, bool all) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 5));
    load(argument(index));
    code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, all ? bits : 0, 0, 1));
    give(SECCOMP_RET_ALLOW);
    give(SECCOMP_RET_ERRNO | EPERM);
  }
  void refuse(int call, int error) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    give(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
  }
  bool install() {
    give(SECCOMP_RET_ERRNO | EPERM);
    sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

 private:
  void load(std::uint32_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
  void give(std::uint32_t answer) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, answer)); }
  void allow_next_if(std::uint16_t test, std::uint32_t value) {
    code_.push_back(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), value, 1, 0));
  }
  std::vector<sock_filter> code_;
};

}  // namespace

Result<void> allow_only_computing(bool opens_files) {
  Filter filter;
  for (int call : kComputing) filter.allow(call);
  if (opens_files)
    for (int call : kOpening) filter.allow(call);
  // Memory, but none that can be executed; threads, but no processes. What clone3 is asked for no filter can see:
  // the C library falls back to clone.
  filter.allow_if_bits(SYS_mmap, 2, PROT_EXEC, false);
  filter.allow_if_bits(SYS_mprotect, 2, PROT_EXEC, false);
  filter.refuse(SYS_clone3, ENOSYS);
  filter.allow_if_bits(SYS_clone, 0, CLONE_THREAD | CLONE_VM, true);
  if (!filter.install()) return system_error("confine this process's system calls", errno);
  return {};
}

}  // namespace dwell
