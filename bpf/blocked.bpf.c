// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For how long threads are blocked, by the stack that they block at and by who woke them up: summed up here,
 * so that a process whose threads switch a hundred thousand times a second sends nothing but each stack once.
 */
#include "bpf/blocked.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/run_time.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TASK_DEAD 0x80
#define PF_KTHREAD 0x200000
#define SERVES_SOFTIRQ 0x100 /* of the preemption count */
#define SERVES_INTERRUPT 0xff0000

/* Threads of the targets that have blocked once, until they end. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32); /* thread, by the kernel's own id: others than userspace's tasks pass here too */
  __type(value, struct dwell_blocked_thread);
} blocked_threads SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_blocked_site);
  __type(value, struct dwell_blocked_time);
} blocked_sites SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64); /* dwell_blocked_site.waker */
  __type(value, struct dwell_waker_name);
} waker_names SEC(".maps");

__u64 lost; /* waits that found no room in the maps */

static __always_inline void count_lost_wait(void) {
  __sync_fetch_and_add(&lost, 1);
  dwell_count_loss(DWELL_LOST_BLOCKED);
}

/* The preemption count tells interrupts from threads. It is a variable of each CPU, whose address not every
 * kernel tells; from the CPU's run queue, which each thread leads to, it lies as far on every CPU. */
const volatile __s64 preemption_after_run_queue = 0; /* 0: not known */

static __always_inline __u32 preemption_count(struct task_struct *task) {
  __u32 count = 0;
  if (!preemption_after_run_queue || !bpf_core_field_exists(task->se.cfs_rq)) return 0;
  void *run_queue = task->se.cfs_rq->rq;
  bpf_probe_read_kernel(&count, sizeof(count), run_queue + preemption_after_run_queue);
  return count;
}

static __always_inline __u64 stack_of_current(struct task_struct *task, __u8 process) {
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .flags = DWELL_PC_EXACT};
  __u64 now = bpf_ktime_get_ns(), stack = dwell_stack(NULL, start, process, dwell_tid_of(task));
  count_run_since(now);
  return stack;
}

/* ---- it blocks ---- */

static __always_inline struct dwell_blocked_thread *state_of(__u32 tid) {
  struct dwell_blocked_thread none = {}, *thread = bpf_map_lookup_elem(&blocked_threads, &tid);
  if (thread) return thread;
  bpf_map_update_elem(&blocked_threads, &tid, &none, BPF_NOEXIST);
  return bpf_map_lookup_elem(&blocked_threads, &tid);
}

static __always_inline void blocks(struct task_struct *task, struct dwell_target *target) {
  struct dwell_blocked_thread *thread = state_of(task->pid);
  if (!thread) {
    count_lost_wait();
    return;
  }
  struct dwell_blocked_site site = {.process = target->slot};
  site.stack = stack_of_current(task, target->slot);
  thread->site = site;
  barrier(); /* who sees the time sees the rest */
  *(volatile __u64 *)&thread->since_ns = bpf_ktime_get_ns();
}

/* ---- it is woken up ---- */

/* What a thread sends through the loopback interface wakes its reader in the sender's context, in a softirq
 * that runs on its behalf; other softirqs run on behalf of whom they happen to interrupt. */
static __always_inline bool sends(const struct pt_regs *regs) {
  switch (regs->orig_ax) {
    case 1:   /* write */
    case 3:   /* close */
    case 20:  /* writev */
    case 40:  /* sendfile */
    case 42:  /* connect */
    case 44:  /* sendto */
    case 46:  /* sendmsg */
    case 48:  /* shutdown */
    case 307: /* sendmmsg */
      return true;
  }
  return false;
}

static __always_inline bool is_interrupt(struct task_struct *task) {
  __u32 count = preemption_count(task);
  if (count & SERVES_INTERRUPT) return true;
  return count & SERVES_SOFTIRQ &&
         (task->flags & PF_KTHREAD || !sends((const struct pt_regs *)bpf_task_pt_regs(task)));
}

static __always_inline void note_waker(struct dwell_blocked_site *site) {
  struct task_struct *task = bpf_get_current_task_btf();
  if (is_interrupt(task)) {
    site->waker_kind = DWELL_WAKER_INTERRUPT;
    return;
  }
  struct dwell_target *target = find_target();
  if (target && !target->shares_mm) {
    site->waker_kind = DWELL_WAKER_THREAD;
    site->waker_process = target->slot;
    site->waker = stack_of_current(task, target->slot);
    return;
  }
  struct dwell_waker_name comm = {.pid = dwell_tgid_of(task)};
  bool kernel = task->flags & PF_KTHREAD;
  __u64 waker = task->tgid;
  site->waker_kind = kernel ? DWELL_WAKER_KERNEL : DWELL_WAKER_OUTSIDE;
  site->waker = waker;
  if (bpf_map_lookup_elem(&waker_names, &waker)) return;
  bpf_get_current_comm(comm.name, sizeof(comm.name));
  if (bpf_map_update_elem(&waker_names, &waker, &comm, BPF_ANY)) dwell_count_loss(DWELL_LOST_WAKER_NAME);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task) {
  __u32 tid = task->pid;
  struct dwell_blocked_thread *thread = bpf_map_lookup_elem(&blocked_threads, &tid);
  if (thread && *(volatile __u64 *)&thread->since_ns) note_waker(&thread->site);
  return 0;
}

/* ---- it goes on ---- */

static __always_inline void goes_on(struct task_struct *task) {
  __u32 tid = task->pid;
  struct dwell_blocked_thread *thread = bpf_map_lookup_elem(&blocked_threads, &tid);
  if (!thread || !thread->since_ns) return;
  struct dwell_blocked_site site = thread->site;
  __u64 ns = bpf_ktime_get_ns() - thread->since_ns;
  thread->since_ns = 0;
  struct dwell_blocked_time none = {}, *time = bpf_map_lookup_elem(&blocked_sites, &site);
  if (!time) {
    bpf_map_update_elem(&blocked_sites, &site, &none, BPF_NOEXIST);
    time = bpf_map_lookup_elem(&blocked_sites, &site);
  }
  if (!time) {
    count_lost_wait();
    return;
  }
  __sync_fetch_and_add(&time->ns, ns);
  __sync_fetch_and_add(&time->times, 1);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempted, struct task_struct *before, struct task_struct *next, __u32 state) {
  if (!preempted && state & TASK_DEAD) {
    __u32 tid = before->pid;
    bpf_map_delete_elem(&blocked_threads, &tid);
  } else if (!preempted && state) {
    struct dwell_target *target = find_target();
    if (target && !target->shares_mm) blocks(bpf_get_current_task_btf(), target);
  }
  goes_on(next);
  return 0;
}
