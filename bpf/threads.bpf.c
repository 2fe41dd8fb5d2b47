// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One look at each thread of a process, without stopping any: a task iterator that may sleep, so that stacks
 * that are not in memory just now can be read too. The threads notice nothing but a lock on the list of their
 * mappings, held for reading.
 */
#include "bpf/threads.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/bounds.h"
#include "bpf/pid_namespace.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PF_IO_WORKER 0x10
#define PF_USER_WORKER 0x4000
#define PF_KTHREAD 0x200000
#define TASK_UNINTERRUPTIBLE 2

__u32 target_tgid = 0; /* 0: the kernel gives us the threads of one process only */
/* Else only of those that are in the kernel without having asked for it, or can't be interrupted there. */
const volatile bool all_kernel_stacks = false;

/* Set between looks: no stacks, only whether threads have run. */
bool times_only = false;

/* One reader at a time. */
struct dwell_thread_record record;
__u64 kernel_stack[DWELL_KERNEL_FRAMES];
char window[DWELL_THREAD_WINDOW];

static __always_inline __u64 switches(struct task_struct *task) { return task->nvcsw + task->nivcsw; }

static __always_inline void read_times(struct task_struct *task) {
  record.time_ns = bpf_ktime_get_ns();
  record.start_ns = task->start_time;
  record.cpu_ns = task->se.sum_exec_runtime;
  record.slice_ns = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
  record.voluntary = task->nvcsw;
  record.involuntary = task->nivcsw;
  record.arrival_ns = 0;
  record.reader_arrival_ns = 0;
  if (!bpf_core_field_exists(task->sched_info.last_arrival)) return;
  record.arrival_ns = task->sched_info.last_arrival;
  record.reader_arrival_ns = bpf_get_current_task_btf()->sched_info.last_arrival;
}

static __always_inline void read_registers(struct task_struct *task) {
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  record.ip = regs->ip;
  record.sp = regs->sp;
  record.bp = regs->bp;
  record.ax = regs->ax;
  record.call = regs->orig_ax;
  record.args[0] = regs->di;
  record.args[1] = regs->si;
  record.args[2] = regs->dx;
  record.args[3] = regs->r10;
  record.args[4] = regs->r8;
  record.args[5] = regs->r9;
}

static __always_inline __u64 robust_list_of(struct task_struct *task) {
  struct task_struct___futex *newer = (void *)task;
  if (bpf_core_field_exists(task->robust_list)) return (__u64)task->robust_list;
  return bpf_core_field_exists(newer->futex.robust_list) ? (__u64)newer->futex.robust_list : 0;
}

/* The page that sp points into is there; what follows it may be the end of the stack. */
static __always_inline void read_stack(struct task_struct *task) {
  __u32 to_page_end = 4096 - (record.sp & 4095);
  __u32 size = DWELL_THREAD_WINDOW;
  if (bpf_copy_from_user_task(window, sizeof(window), (void *)record.sp, task, 0)) {
    size = to_page_end < DWELL_THREAD_WINDOW ? to_page_end : DWELL_THREAD_WINDOW;
    if (bpf_copy_from_user_task(window, DWELL_AT_MOST(size, DWELL_THREAD_WINDOW), (void *)record.sp, task, 0))
      size = 0;
  }
  record.stack_bytes = size;
}

static __always_inline void read_kernel_stack(struct task_struct *task) {
  bool waits = record.state != 0;
  bool by_call = record.call != DWELL_NO_CALL && !(record.state & TASK_UNINTERRUPTIBLE);
  if ((!waits || by_call) && !all_kernel_stacks) return;
  long size = bpf_get_task_stack(task, kernel_stack, sizeof(kernel_stack), 0);
  if (size > 0) record.kernel_frames = size / sizeof(__u64);
}

SEC("iter.s/task")
int look(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  if (!task || (target_tgid && dwell_tgid_of(task) != target_tgid)) return 0;

  record.stack_bytes = 0;
  record.kernel_frames = 0;
  struct pid *pid = task->thread_pid;
  record.tid = pid ? dwell_tid_of(task) : 0;
  record.own_tid = dwell_innermost_id(pid);
  record.kernel_tid = task->pid;
  record.exit_state = task->exit_state;
  record.task_flags = task->flags;
  record.policy = task->policy;
  record.flags = task->on_cpu ? DWELL_THREAD_ON_CPU : 0;
  record.state = task->__state;
  record.thread_pointer = task->thread.fsbase;
  record.robust_list = robust_list_of(task);
  bpf_probe_read_kernel_str(record.name, sizeof(record.name), task->comm);
  read_times(task);

  if (times_only || record.exit_state || (record.task_flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER))) {
    record.flags |= DWELL_THREAD_NO_REGISTERS;
    record.call = DWELL_NO_CALL;
  } else {
    read_registers(task);
    read_stack(task);
  }
  if (!record.exit_state && !times_only) read_kernel_stack(task);
  if (task->on_cpu || switches(task) != record.voluntary + record.involuntary)
    record.flags |= DWELL_THREAD_MOVED;

  bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
  __u64 kernel_bytes = record.kernel_frames * sizeof(__u64), stack_bytes = record.stack_bytes;
  if (kernel_bytes) bpf_seq_write(ctx->meta->seq, kernel_stack, DWELL_AT_MOST(kernel_bytes, sizeof(kernel_stack)));
  if (stack_bytes) bpf_seq_write(ctx->meta->seq, window, DWELL_AT_MOST(stack_bytes, sizeof(window)));
  return 0;
}
