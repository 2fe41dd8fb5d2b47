// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The CPU time of each thread of a process, exact for threads that run as well, which /proc tells up to a tick late: a window
 * on a program's allocations is shorter than a tick.
 */
#include "bpf/thread_times.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/pid_namespace.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct dwell_thread_time record; /* one reader at a time */

SEC("iter/task")
int look_at_times(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  if (!task || task->exit_state || !bpf_core_field_exists(task->se.cfs_rq)) return 0;
  record.tid = dwell_tid_of(task);
  record.running = task->on_cpu;
  record.ran_ns = task->se.sum_exec_runtime;
  record.added_up_ns = task->se.exec_start;
  record.now_ns = bpf_ktime_get_ns();
  record.clock_ns = BPF_CORE_READ(task, se.cfs_rq, rq, clock);
  record.task_clock_ns = BPF_CORE_READ(task, se.cfs_rq, rq, clock_task);
  record.reader_clock_ns = BPF_CORE_READ(bpf_get_current_task_btf(), se.cfs_rq, rq, clock);
  bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
  return 0;
}
