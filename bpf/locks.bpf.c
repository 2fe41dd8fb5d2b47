// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For how long threads wait in the kernel for locks, and who released what they waited for. A lock that is free is taken without the
 * kernel, so nothing is seen of it, and nothing is paid; one that is not ends in a futex call, of whatever library it is. Which
 * futex calls are locks, and which are condition variables and the like, is told by the functions on the stack, in userspace.
 *
 * Whoever waited for a lock of three states (0 free, 1 taken, 2 taken and perhaps waited for: mutexes of
 * glibc, Rust and Go) takes it as 2, so that its release is a futex call too, whether or not somebody waits:
 * such holds are measured from one call to the other. Of whoever took it free, it is known for how long the
 * first of those waited whom that held up: it was held at least as long.
 *
 * Other processes pay at futex calls, and at wake-ups while a thread of a target waits. Where the kernel has
 * no BPF trampolines, they pay at every system call.
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
#define PRIVATE 128 /* within one process */
#define WAIT 0
#define WAKE 1
#define LOCK_PI 6
#define WAIT_BITSET 9
#define WAKE_BITSET 10
#define LOCK_PI2 13
#define SYS_FUTEX 202

#define NOT_ENTERED 11 /* EAGAIN: the word had changed, and it did not wait */

#define CONTENDED 2 /* what waits for a lock of three states expect in its word */
#define MOST_HELD 4 /* locks that a thread holds at a time and waited for; of more, the oldest is forgotten \
                     */

struct held {
  __u64 futex; /* 0: none */
  __u64 since_ns;
  __u64 stack; /* that took it */
};

/* A thread that waits, or has waited. */
struct waiting {
  __u64 since_ns; /* 0: it does not wait */
  __u64 holder;
  __u8 holder_process, end;
  struct held held[MOST_HELD];
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

struct lock_word {
  __u64 futex, process;
};

/* Locks that somebody has waited for since they were taken: when the first one began to. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct lock_word);
  __type(value, __u64);
} contended SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_lock_hold_site);
  __type(value, struct dwell_lock_wait_sums);
} holds SEC(".maps");

/* Threads that wait; those that were killed meanwhile stay in it. While there are none, wake-ups are of no
 * interest. */
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

static __always_inline bool is_wake(__u32 operation) {
  __u32 command = operation & COMMAND_MASK;
  return command == WAKE || command == WAKE_BITSET;
}

static __always_inline struct held *find_held(struct waiting *wait, __u64 futex) {
  for (int i = 0; i < MOST_HELD; i++)
    if (wait->held[i].futex == futex) return &wait->held[i];
  return NULL;
}

static __always_inline int add_to(void *map, const void *site, __u64 ns) {
  static const struct dwell_lock_wait_sums none;
  struct dwell_lock_wait_sums *sums = bpf_map_lookup_elem(map, site);
  if (!sums) {
    bpf_map_update_elem(map, site, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(map, site);
  }
  if (!sums) return -1;
  __sync_fetch_and_add(&sums->ns, ns);
  __sync_fetch_and_add(&sums->times, 1);
  if (ns > sums->longest_ns) sums->longest_ns = ns;
  return 0;
}

/* The word is free by now, or somebody else's. */
static __always_inline int lock_is_released(const struct pt_regs *regs) {
  struct dwell_target *target = find_target();
  if (!target) return 0;
  struct lock_word word = {regs->di, target->slot};
  struct waiting *wait = bpf_task_storage_get(&waits, bpf_get_current_task_btf(), NULL, 0);
  struct held *held = wait && regs->di ? find_held(wait, regs->di) : NULL;
  __u64 *first_wait_ns = bpf_map_lookup_elem(&contended, &word);
  if (!held && !first_wait_ns) return 0;
  __u64 now = bpf_ktime_get_ns(), since_ns = held ? held->since_ns : *first_wait_ns;
  struct dwell_lock_hold_site site = {.futex = word.futex, .process = target->slot, .at_least = !held};
  site.stack = held ? held->stack : stack_at_call(target->slot);
  if (held) held->futex = 0;
  bpf_map_delete_elem(&contended, &word);
  if (add_to(&holds, &site, now - since_ns)) dwell_count_loss(DWELL_LOST_LOCK_WAIT);
  count_run_since(now);
  return 0;
}

/* Its wait has ended, and unless another one is faster, which means to wait again, it has the lock. */
static __always_inline void lock_is_taken(struct waiting *wait, __u64 futex, __u64 stack) {
  struct held *held = &wait->held[0];
  for (int i = 0; i < MOST_HELD; i++)
    if (wait->held[i].futex == 0 || (held->futex && wait->held[i].since_ns < held->since_ns))
      held = &wait->held[i];
  held->futex = futex;
  held->stack = stack;
  held->since_ns = bpf_ktime_get_ns();
}

static __always_inline int futex_begins(const struct pt_regs *regs) {
  if (!may_be_target()) return 0;
  if (is_wake(regs->si)) return lock_is_released(regs);
  if (!is_wait(regs->si)) return 0;
  struct dwell_target *target = find_target();
  if (!target) return 0;
  struct waiting *wait = bpf_task_storage_get(&waits, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!wait) {
    dwell_count_loss(DWELL_LOST_LOCK_WAIT);
    return 0;
  }
  struct held *held = regs->di ? find_held(wait, regs->di) : NULL;
  if (held) held->futex = 0;
  wait->end = DWELL_LOCK_END_UNKNOWN;
  wait->since_ns = bpf_ktime_get_ns();
  __sync_fetch_and_add(&waiting_threads, 1);
  if ((__u32)regs->dx != CONTENDED || !(regs->si & PRIVATE)) return 0;
  struct lock_word word = {regs->di, target->slot};
  bpf_map_update_elem(&contended, &word, &wait->since_ns, BPF_NOEXIST);
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
  if (add_to(&sites, &site, ns)) dwell_count_loss(DWELL_LOST_LOCK_WAIT);
  count_run_since(now);
  if (result == 0 && (__u32)regs->dx == CONTENDED) lock_is_taken(wait, site.futex, site.stack);
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
