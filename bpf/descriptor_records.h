/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What both tracers of descriptors do once they know that a target opens or closes one: the records. */
#ifndef DWELL_BPF_DESCRIPTOR_RECORDS_H
#define DWELL_BPF_DESCRIPTOR_RECORDS_H

#include "bpf/descriptors.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/run_time.h"
#include "bpf/target_hints.h"
#include "bpf/targets.h"
#include "bpf/unwind.h"

#define PF_IO_WORKER 0x10 /* <linux/sched.h> */
#define MOST_WORDS 16384  /* of open_fds: a million descriptors */
#define SYS_CLOSE_RANGE_UNSHARE 2
#define SYS_CLOSE_RANGE_CLOEXEC 4

/* Openings are sent only while less than this waits in the ring: the rest is for closings. */
const volatile __u64 ring_limit_bytes = ~0ull;

/* Null: the current thread belongs to no target, or has not the process's descriptors. */
static __always_inline struct dwell_target *target_of_table(struct task_struct *task) {
  struct dwell_target *target = find_target();
  if (!target || target->shares_mm) return NULL;
  struct files_struct *process = task->group_leader->files; /* null: the first thread has ended */
  if (!process || process == task->files) return target;
  dwell_count_loss(DWELL_LOST_TABLE);
  return NULL;
}

static __always_inline __u64 stack_of_call(struct task_struct *task, __u8 process, __u32 tid) {
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  struct dwell_stack_start start = {.pc = regs->ip, .sp = regs->sp, .bp = regs->bp, .flags = DWELL_PC_EXACT};
  return dwell_stack(NULL, start, process, tid);
}

static __always_inline bool has_room_for_opening(void) {
  if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <= ring_limit_bytes) return true;
  dwell_count_loss(DWELL_LOST_OPEN);
  return false;
}

/* A record of what is open at no descriptor yet; the caller fills that in, and sends it. */
static __always_inline struct dwell_fd_opened opening(struct task_struct *task, struct dwell_target *target) {
  __u16 call = DWELL_FD_CALL_UNKNOWN;
  if (!(task->flags & PF_IO_WORKER)) call = ((struct pt_regs *)bpf_task_pt_regs(task))->orig_ax;
  struct dwell_fd_opened record = {.h = header(DWELL_FD_OPENED, target->slot, call), .time_ns = bpf_ktime_get_ns()};
  if (call != DWELL_FD_CALL_UNKNOWN) record.stack = stack_of_call(task, target->slot, record.h.tid);
  count_run_since(record.time_ns);
  return record;
}

static __always_inline void describe_file(struct dwell_fd_opened *record, struct file *file) {
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  record->mode = BPF_CORE_READ(inode, i_mode);
  record->device = BPF_CORE_READ(inode, i_rdev);
  record->magic = BPF_CORE_READ(inode, i_sb, s_magic);
  bpf_probe_read_kernel_str(record->name, sizeof(record->name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

static __always_inline void send_closed(struct dwell_target *target, __u32 first, __u32 last) {
  struct dwell_fd_closed record = {
      .h = header(DWELL_FD_CLOSED, target->slot, 0), .time_ns = bpf_ktime_get_ns(), .first = first, .last = last};
  DWELL_SEND(record, DWELL_LOST_CLOSE);
  count_run_since(record.time_ns);
}

/* close_range(first, last, flags), as it begins. */
static __always_inline void send_closed_range(struct task_struct *task, const struct pt_regs *regs) {
  __u32 first = regs->di, last = regs->si, flags = regs->dx;
  if (flags & ~SYS_CLOSE_RANGE_UNSHARE || first > last) return; /* it closes nothing */
  struct dwell_target *target = target_of_table(task);
  if (target) send_closed(target, first, last);
}

/* ---- what an exec has left open ---- */

struct left_words {
  unsigned long *words;
  struct dwell_header h;
  __u64 time_ns;
};

static long send_left_word(__u64 index, void *context) {
  struct left_words *left = context;
  struct dwell_fd_left record = {.h = left->h, .time_ns = left->time_ns, .first = index * 64};
  bpf_probe_read_kernel(&record.open, sizeof(record.open), left->words + index);
  DWELL_SEND(record, DWELL_LOST_CLOSE);
  return 0;
}

static __always_inline void send_left(struct task_struct *task) {
  struct dwell_target *target = target_of_table(task);
  if (!target) return;
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  __u32 words = BPF_CORE_READ(table, max_fds) / 64;
  if (words > MOST_WORDS) words = MOST_WORDS;
  struct left_words left = {.words = BPF_CORE_READ(table, open_fds),
                            .h = header(DWELL_FD_LEFT, target->slot, 0),
                            .time_ns = bpf_ktime_get_ns()};
  bpf_loop(words, send_left_word, &left, 0);
  struct dwell_fd_left last = {.h = left.h, .time_ns = left.time_ns, .first = words * 64};
  last.h.probe = 1;
  DWELL_SEND(last, DWELL_LOST_CLOSE);
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx) {
  if (may_be_target()) send_left(bpf_get_current_task_btf());
  return 0;
}

#endif /* DWELL_BPF_DESCRIPTOR_RECORDS_H */
