// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For how long threads wait in the kernel for locks, and who released what they waited for. A lock that is free is taken without the
 * kernel, so nothing is seen of it, and nothing is paid; one that is not ends in a futex call, of whatever library it is. Which
 * futex calls are locks, and which are condition variables and the like, is told by the functions on the stack, in userspace.
 *
 * Other processes pay at futex calls, and at wake-ups while a thread of a target waits. Where the kernel has no BPF trampolines,
 * they pay at every system call.
 */
#include "bpf/locks.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/run_time.h"
#include "bpf/target_hints.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* <linux/futex.h> */
#define COMMAND_MASK 127
#define WAIT 0
#define LOCK_PI 6
#define WAIT_BITSET 9
#define LOCK_PI2 13
#define SYS_FUTEX 202

#define NOT_ENTERED 11 /* EAGAIN: the word had changed, and it did not wait */

struct waiting {
  __u64 since_ns; /* 0: it does not wait */
  __u64 holder;
  __u8 holder_process, end;
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct waiting);
} waits SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_lock_wait_site);
  __type(value, struct dwell_lock_wait_sums);
} sites SEC(".maps");

/* Threads that wait; those that were killed meanwhile stay in it. While there are none, wake-ups are of no interest. */
__s64 waiting_threads = 0;

static __always_inline bool is_wait(__u32 operation) {
  __u32 command = operation & COMMAND_MASK;
  return command == WAIT || command == WAIT_BITSET || command == LOCK_PI || command == LOCK_PI2;
}

/* Behind the system call. Global, so that the verifier walks through the unwinder once. */
__noinline __u64 stack_at_call(__u64 process) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .flags = DWELL_PC_EXACT};
  return dwell_stack(NULL, start, (__u8)process, dwell_current_tid());
}

static __always_inline int futex_begins(const struct pt_regs *regs) {
  if (!may_be_target() || !is_wait(regs->si)) return 0;
  struct dwell_target *target = find_target();
  if (!target) return 0;
  struct waiting *wait = bpf_task_storage_get(&waits, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!wait) {
    dwell_count_loss(DWELL_LOST_LOCK_WAIT);
    return 0;
  }
  wait->end = DWELL_LOCK_END_UNKNOWN;
  wait->since_ns = bpf_ktime_get_ns();
  __sync_fetch_and_add(&waiting_threads, 1);
  return 0;
}

/* Only a futex call of another thread releases a lock: signals and timers wake threads up too. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task) {
  if (waiting_threads <= 0) return 0;
  struct waiting *wait = bpf_task_storage_get(&waits, task, NULL, 0);
  if (!wait || !wait->since_ns) return 0;
  struct task_struct *waker = bpf_get_current_task_btf();
  if (waker == task || ((struct pt_regs *)bpf_task_pt_regs(waker))->orig_ax != SYS_FUTEX) return 0;
  __u64 now = bpf_ktime_get_ns();
  struct dwell_target *target = find_target();
  if (target && !target->shares_mm) {
    wait->holder_process = target->slot;
    wait->holder = stack_at_call(target->slot);
    wait->end = DWELL_LOCK_END_RELEASED;
  } else {
    wait->end = DWELL_LOCK_END_OUTSIDE;
  }
  count_run_since(now);
  return 0;
}

static __always_inline void add_wait(const struct dwell_lock_wait_site *site, __u64 ns) {
  static const struct dwell_lock_wait_sums none;
  struct dwell_lock_wait_sums *sums = bpf_map_lookup_elem(&sites, site);
  if (!sums) {
    bpf_map_update_elem(&sites, site, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&sites, site);
  }
  if (!sums) {
    dwell_count_loss(DWELL_LOST_LOCK_WAIT);
    return;
  }
  __sync_fetch_and_add(&sums->ns, ns);
  __sync_fetch_and_add(&sums->times, 1);
  if (ns > sums->longest_ns) sums->longest_ns = ns;
}

static __always_inline int futex_ends(const struct pt_regs *regs, long result) {
  if (!may_be_target() || !is_wait(regs->si)) return 0;
  struct waiting *wait = bpf_task_storage_get(&waits, bpf_get_current_task_btf(), NULL, 0);
  if (!wait || !wait->since_ns) return 0;
  __u64 now = bpf_ktime_get_ns(), ns = now - wait->since_ns;
  wait->since_ns = 0;
  __sync_fetch_and_add(&waiting_threads, -1);
  struct dwell_target *target = find_target();
  if (!target || result == -NOT_ENTERED) return 0;
  struct dwell_lock_wait_site site = {.futex = regs->di, .process = target->slot};
  site.relative = (regs->si & COMMAND_MASK) == WAIT;
  if (result == 0) site.end = wait->end;
  if (site.end == DWELL_LOCK_END_RELEASED) {
    site.holder = wait->holder;
    site.holder_process = wait->holder_process;
  }
  site.stack = stack_at_call(target->slot);
  add_wait(&site, ns);
  count_run_since(now);
  return 0;
}

SEC("fentry/__x64_sys_futex")
int BPF_PROG(on_futex, const struct pt_regs *regs) { return futex_begins(regs); }

SEC("fexit/__x64_sys_futex")
int BPF_PROG(on_futex_end, const struct pt_regs *regs, long result) { return futex_ends(regs, result); }

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *regs, long number) { return number == SYS_FUTEX ? futex_begins(regs) : 0; }

SEC("tp_btf/sys_exit")
int BPF_PROG(on_call_end, struct pt_regs *regs, long result) { return regs->orig_ax == SYS_FUTEX ? futex_ends(regs, result) : 0; }
