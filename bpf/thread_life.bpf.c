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
#include "bpf/run_time.h"
#include "bpf/targets.h"
#include "bpf/thread_life.h"
#include "bpf/thread_stack.h"
#include "bpf/unwind.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A call of pthread_create that has not got to its new thread yet, of the calling thread. */
struct creation {
  __u64 routine;
  __u32 join;
  __u32 under_way;
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct creation);
} creations SEC(".maps");

/* glibc's pthread_attr_t: its flags follow the priority and the policy. */
#define ATTRIBUTE_FLAGS_AT 8
#define ATTRIBUTE_DETACHED 1

static __always_inline __u32 join_of(__u64 attributes) {
  __u32 flags = 0;
  if (attributes && bpf_probe_read_user(&flags, sizeof(flags), (void *)(attributes + ATTRIBUTE_FLAGS_AT))) {
    dwell_count_loss(DWELL_LOST_THREAD);
    return DWELL_JOIN_UNKNOWN;
  }
  return flags & ATTRIBUTE_DETACHED ? DWELL_JOIN_DETACHED : DWELL_JOIN_EXPECTED;
}

static __always_inline int note_creation(struct pt_regs *ctx) {
  struct creation *creation = bpf_task_storage_get(&creations, bpf_get_current_task_btf(), NULL,
                                                   BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!creation) {
    dwell_count_loss(DWELL_LOST_THREAD);
    return 0;
  }
  creation->routine = ctx->dx;
  creation->join = join_of(ctx->si);
  creation->under_way = 1;
  return 0;
}

SEC("uprobe")
int on_call(struct pt_regs *ctx) {
  dwell_use_thread_stack(ctx);
  struct dwell_target *target = find_target();
  if (!target) return 0;
  __u64 cookie = bpf_get_attach_cookie(ctx);
  if (dwell_probe_shape_of(cookie) == DWELL_CALL_PTHREAD_CREATE) return note_creation(ctx);
  struct dwell_thread_settled record = {.h = header(DWELL_THREAD_SETTLED, target->slot, 0),
                                        .time_ns = bpf_ktime_get_ns(),
                                        .thread_pointer = ctx->di};
  DWELL_SEND(record, DWELL_LOST_THREAD);
  count_run_since(record.time_ns);
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
  struct creation *creation = bpf_task_storage_get(&creations, bpf_get_current_task_btf(), NULL, 0);
  if (creation && creation->under_way) {
    record.routine = creation->routine;
    record.join = creation->join;
    creation->under_way = 0;
  }
  /* Whoever makes a thread stands behind the system call of a function that has pushed nothing. */
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .cfa_offset = 8};
  record.stack = dwell_stack(ctx, start, target->slot, record.h.tid);
  DWELL_SEND(record, DWELL_LOST_THREAD);
  count_run_since(record.time_ns);
  return 0;
}
