// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For how long threads are blocked, by the stack that they block at: summed up here, so that a process whose
 * threads switch a hundred thousand times a second sends nothing but each stack once.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/blocked.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32); /* thread */
  __type(value, struct dwell_blocked_thread);
} blocked_threads SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct dwell_blocked_site);
  __type(value, struct dwell_blocked_time);
} blocked_sites SEC(".maps");

__u64 lost; /* waits that found no room in the maps */

static __always_inline void blocks(struct task_struct *task, struct dwell_target *target) {
  __u32 tid = task->pid;
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .flags = DWELL_PC_EXACT};
  struct dwell_blocked_thread thread = {.since_ns = bpf_ktime_get_ns()};
  thread.site.process = target->slot;
  thread.site.stack = dwell_stack(NULL, start, target->slot, tid);
  if (bpf_map_update_elem(&blocked_threads, &tid, &thread, BPF_ANY)) __sync_fetch_and_add(&lost, 1);
}

static __always_inline void goes_on(struct task_struct *task) {
  __u32 tid = BPF_CORE_READ(task, pid);
  struct dwell_blocked_thread *thread = bpf_map_lookup_elem(&blocked_threads, &tid);
  if (!thread) return;
  struct dwell_blocked_site site = thread->site;
  __u64 ns = bpf_ktime_get_ns() - thread->since_ns;
  bpf_map_delete_elem(&blocked_threads, &tid);
  struct dwell_blocked_time none = {}, *time = bpf_map_lookup_elem(&blocked_sites, &site);
  if (!time) {
    bpf_map_update_elem(&blocked_sites, &site, &none, BPF_NOEXIST);
    time = bpf_map_lookup_elem(&blocked_sites, &site);
  }
  if (!time) {
    __sync_fetch_and_add(&lost, 1);
    return;
  }
  __sync_fetch_and_add(&time->ns, ns);
  __sync_fetch_and_add(&time->times, 1);
}

/* (preempted, before, next, state of the one before) */
SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx) {
  bool preempted = ctx->args[0];
  if (!preempted && ctx->args[3]) {
    struct dwell_target *target = find_target();
    if (target && !target->shares_mm) blocks(bpf_get_current_task_btf(), target);
  }
  goes_on((struct task_struct *)ctx->args[2]);
  return 0;
}
