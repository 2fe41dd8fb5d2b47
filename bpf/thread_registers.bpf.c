// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The general registers of each thread of a process, as it left them when it entered the kernel, without stopping any. What a
 * function keeps in a callee-saved register while it waits stands nowhere else. Nor does the stack for signals that it has allocated: most
 * programs leave its address to the kernel alone.
 */
#include "bpf/thread_registers.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/pid_namespace.h"
#include "bpf/vmlinux.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PF_IO_WORKER 0x10
#define PF_USER_WORKER 0x4000
#define PF_KTHREAD 0x200000

__u32 target_tgid = 0; /* 0: the kernel gives us the threads of one process only */

struct dwell_registers_record record; /* one reader at a time */

SEC("iter/task")
int look_at_registers(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  if (!task || (target_tgid && dwell_tgid_of(task) != target_tgid)) return 0;
  if (task->exit_state || (task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER))) return 0;
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  record.tid = dwell_tid_of(task);
  record.running = task->on_cpu;
  record.sp = regs->sp;
  record.words[0] = regs->ax;
  record.words[1] = regs->bx;
  record.words[2] = regs->cx;
  record.words[3] = regs->dx;
  record.words[4] = regs->si;
  record.words[5] = regs->di;
  record.words[6] = regs->bp;
  record.words[7] = regs->r8;
  record.words[8] = regs->r9;
  record.words[9] = regs->r10;
  record.words[10] = regs->r11;
  record.words[11] = regs->r12;
  record.words[12] = regs->r13;
  record.words[13] = regs->r14;
  record.words[14] = regs->r15;
  record.signal_stack = task->sas_ss_sp;
  record.thread_pointer = task->thread.fsbase;
  bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
  return 0;
}
