// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Life and death of the targets: fork, exec, exit, in the same ring buffer as everything else, so that they
 * stand in order with what the processes did before and after. The maps that all tracers of a recording share
 * are this object's.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/targets.h"
#include "bpf/unwind_maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A process below a target that is no target itself, or not yet: what it starts is counted too. */
struct descendant {
  __u8 slot;     /* of the target that it descends from */
  __u8 spawned;  /* a program that a vfork child became, or below one */
  __u8 borrowed; /* a vfork child that has not called exec yet */
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32); /* tgid */
  __type(value, struct descendant);
} descendants SEC(".maps");

/* Wakes the reader: what a new program does before its code is known has no stacks. */
static __always_inline void send_process(__u8 type, __u8 slot, __u64 other_id, __u32 loss) {
  struct dwell_process_record record = {
      .h = header(type, slot, 0), .time_ns = bpf_ktime_get_ns(), .other_id = other_id};
  if (bpf_ringbuf_output(&events, &record, sizeof(record), BPF_RB_FORCE_WAKEUP)) dwell_count_loss(loss);
}

static __always_inline void remember(__u32 tgid, __u8 slot, __u8 spawned, __u8 borrowed) {
  struct descendant descendant = {.slot = slot, .spawned = spawned, .borrowed = borrowed};
  if (bpf_map_update_elem(&descendants, &tgid, &descendant, BPF_ANY)) dwell_count_loss(DWELL_LOST_PROCESS);
}

static __always_inline struct descendant *find_descendant(void) {
  __u32 tgid = dwell_current_tgid();
  return bpf_map_lookup_elem(&descendants, &tgid);
}

/* The tables of the program before would lead the walk astray. */
static __always_inline void forget_code(struct dwell_target *target) {
  __u32 key = target->slot;
  __u64 *space = bpf_map_lookup_elem(&unwind_spaces, &key);
  if (space) *space = 0;
}

/* A vfork child works on its parent's memory until it calls exec: until then it is no process of its own. */
static __always_inline void descendant_forked(struct descendant *parent, __u32 child, bool borrows) {
  __u8 slot = parent->slot, spawned = parent->spawned;
  remember(child, slot, spawned, borrows);
  if (!borrows) send_process(spawned ? DWELL_SPAWN : DWELL_FORK_BELOW, slot, child, DWELL_LOST_FORK);
}

static __always_inline void target_forked(struct dwell_target *parent, __u32 child, bool borrows) {
  if (borrows) {
    struct dwell_target borrowed = {.slot = parent->slot, .shares_mm = 1};
    if (bpf_map_update_elem(&targets, &child, &borrowed, BPF_ANY)) dwell_count_loss(DWELL_LOST_PROCESS);
    return;
  }
  remember(child, parent->slot, 0, 0);
  send_process(DWELL_FORK, parent->slot, child, DWELL_LOST_FORK);
}

SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *child = (struct task_struct *)ctx->args[1];
  struct dwell_target *target = find_target();
  struct descendant *descendant = target ? NULL : find_descendant();
  if (!target && !descendant) return 0;
  struct task_struct *parent = bpf_get_current_task_btf();
  if (BPF_CORE_READ(child, tgid) == BPF_CORE_READ(parent, tgid)) return 0; /* a thread */

  __u32 child_tgid = dwell_tgid_of(child);
  bool borrows = BPF_CORE_READ(child, mm) == BPF_CORE_READ(parent, mm);
  if (target)
    target_forked(target, child_tgid, borrows);
  else
    descendant_forked(descendant, child_tgid, borrows);
  return 0;
}

/* A vfork child stands on its own feet now. */
static __always_inline void spawned(__u8 slot) {
  __u32 tgid = dwell_current_tgid();
  remember(tgid, slot, 1, 0);
  send_process(DWELL_SPAWN, slot, tgid, DWELL_LOST_FORK);
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx) {
  struct dwell_target *target = find_target();
  if (!target) {
    struct descendant *descendant = find_descendant();
    if (descendant && descendant->borrowed) spawned(descendant->slot);
    return 0;
  }
  __u8 slot = target->slot;
  if (target->shares_mm) {
    __u32 tgid = dwell_current_tgid();
    bpf_map_delete_elem(&targets, &tgid);
    spawned(slot);
    return 0;
  }
  forget_code(target);
  /* The second argument is the thread id that the caller had before. */
  bool another = (__u32)ctx->args[1] != (__u32)bpf_get_current_pid_tgid();
  send_process(DWELL_EXEC, slot, another ? DWELL_EXEC_BY_ANOTHER_THREAD : 0, DWELL_LOST_PROCESS);
  return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx) {
  struct dwell_target *target = find_target();
  if (!target && !find_descendant()) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  bool last_thread = BPF_CORE_READ(task, signal, live.counter) == 0;
  bool own = target && !target->shares_mm;
  __u8 slot = target ? target->slot : 0;
  __u32 tgid = dwell_current_tgid();
  if (last_thread) {
    bpf_map_delete_elem(&descendants, &tgid);
    /* Of two threads that both find themselves the last, one tells it: userspace gives the slot to another
     * process then. */
    if (bpf_map_delete_elem(&targets, &tgid)) return 0;
  }
  if (own) send_process(last_thread ? DWELL_EXIT : DWELL_THREAD_EXIT, slot, 0, DWELL_LOST_PROCESS);
  return 0;
}
