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

/* Wakes the reader: what a new program does before its code is known has no stacks. */
static __always_inline void send_process(__u8 type, struct dwell_target *target, __u64 other_id) {
  struct dwell_process_record record = {
      .h = header(type, target->slot, 0), .time_ns = bpf_ktime_get_ns(), .other_id = other_id};
  if (bpf_ringbuf_output(&events, &record, sizeof(record), BPF_RB_FORCE_WAKEUP))
    dwell_count_loss(DWELL_LOST_PROCESS);
}

/* The tables of the program before would lead the walk astray. */
static __always_inline void forget_code(struct dwell_target *target) {
  __u32 key = target->slot;
  __u64 *space = bpf_map_lookup_elem(&unwind_spaces, &key);
  if (space) *space = 0;
}

SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *child = (struct task_struct *)ctx->args[1];
  struct dwell_target *target = find_target();
  if (!target) return 0;
  struct task_struct *parent = bpf_get_current_task_btf();
  if (BPF_CORE_READ(child, tgid) == BPF_CORE_READ(parent, tgid)) return 0; /* a thread */
  __u32 child_tgid = dwell_tgid_of(child);

  if (BPF_CORE_READ(child, mm) == BPF_CORE_READ(parent, mm)) {
    /* vfork: until it calls exec, the child works on the parent's own memory. */
    struct dwell_target borrowed = {.slot = target->slot, .shares_mm = 1};
    if (bpf_map_update_elem(&targets, &child_tgid, &borrowed, BPF_ANY)) dwell_count_loss(DWELL_LOST_PROCESS);
    return 0;
  }
  send_process(DWELL_FORK, target, child_tgid);
  return 0;
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx) {
  struct dwell_target *target = find_target();
  if (!target) return 0;
  if (target->shares_mm) {
    __u32 tgid = dwell_current_tgid();
    bpf_map_delete_elem(&targets, &tgid);
    return 0;
  }
  forget_code(target);
  /* The second argument is the thread id that the caller had before. */
  bool another = (__u32)ctx->args[1] != (__u32)bpf_get_current_pid_tgid();
  send_process(DWELL_EXEC, target, another ? DWELL_EXEC_BY_ANOTHER_THREAD : 0);
  return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx) {
  struct dwell_target *target = find_target();
  if (!target) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  bool last_thread = BPF_CORE_READ(task, signal, live.counter) == 0;
  if (!target->shares_mm) send_process(last_thread ? DWELL_EXIT : DWELL_THREAD_EXIT, target, 0);
  if (last_thread) {
    __u32 tgid = dwell_current_tgid();
    bpf_map_delete_elem(&targets, &tgid);
  }
  return 0;
}
