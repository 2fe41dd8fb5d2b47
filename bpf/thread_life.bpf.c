// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Threads from their creation, with the creator's stack, to the call that joins or detaches them. The
 * scheduler tells of every new thread, however it was made; pthread_create tells besides what it is to run,
 * and whether it is to be joined.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/probe_shapes.h"
#include "bpf/targets.h"
#include "bpf/thread_life.h"
#include "bpf/unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A call of pthread_create that has not got to its new thread yet, by the calling thread. */
struct creation {
  __u64 routine;
  __u32 join;
  __u32 unused;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32); /* the kernel's own id */
  __type(value, struct creation);
} creations SEC(".maps");

/* glibc's pthread_attr_t: its flags follow the priority and the policy. */
#define ATTRIBUTE_FLAGS_AT 8
#define ATTRIBUTE_DETACHED 1

static __always_inline int note_creation(struct pt_regs *ctx) {
  __u32 tid = bpf_get_current_pid_tgid(), flags = 0;
  __u64 attributes = ctx->si;
  if (attributes) bpf_probe_read_user(&flags, sizeof(flags), (void *)(attributes + ATTRIBUTE_FLAGS_AT));
  struct creation creation = {.routine = ctx->dx,
                              .join = flags & ATTRIBUTE_DETACHED ? DWELL_JOIN_DETACHED : DWELL_JOIN_EXPECTED};
  if (bpf_map_update_elem(&creations, &tid, &creation, BPF_ANY)) dwell_count_loss(DWELL_LOST_THREAD_STATE);
  return 0;
}

SEC("uprobe")
int on_call(struct pt_regs *ctx) {
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  if (dwell_probe_shape_of(cookie) == DWELL_CALL_PTHREAD_CREATE) return note_creation(ctx);
  struct dwell_thread_settled record = {.h = header(DWELL_THREAD_SETTLED, target->slot, 0),
                                        .time_ns = bpf_ktime_get_ns(),
                                        .thread_pointer = ctx->di};
  DWELL_SEND(record, DWELL_LOST_PROCESS);
  return 0;
}

SEC("raw_tp/sched_process_fork")
int on_new_thread(struct bpf_raw_tracepoint_args *ctx) {
  struct task_struct *child = (struct task_struct *)ctx->args[1];
  struct dwell_target *target = find_target();
  if (!target || target->shares_mm) return 0;
  __u64 ids = bpf_get_current_pid_tgid();
  if ((__u32)BPF_CORE_READ(child, tgid) != (__u32)(ids >> 32)) return 0; /* a process */

  struct dwell_thread_created record = {.h = header(DWELL_THREAD_CREATED, target->slot, 0),
                                        .time_ns = bpf_ktime_get_ns()};
  record.tid = dwell_tid_of(child);
  record.thread_pointer = BPF_CORE_READ(child, thread.fsbase);
  __u32 creator = ids;
  struct creation *creation = bpf_map_lookup_elem(&creations, &creator);
  if (creation) {
    record.routine = creation->routine;
    record.join = creation->join;
    bpf_map_delete_elem(&creations, &creator);
  }
  /* Whoever makes a thread stands behind the system call of a function that has pushed nothing. */
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .cfa_offset = 8};
  record.stack = dwell_stack(ctx, start, target->slot, record.h.tid);
  DWELL_SEND(record, DWELL_LOST_PROCESS);
  return 0;
}
