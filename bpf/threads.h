/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one look at a thread brings back: plain C, compiled by both sides. The iterator writes one
 * dwell_thread_record for each thread, each followed by kernel_frames addresses and by stack_bytes of the
 * thread's stack from sp upward.
 */
#ifndef DWELL_BPF_THREADS_H
#define DWELL_BPF_THREADS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define DWELL_THREAD_WINDOW 1024 /* bytes of stack: most waiting threads need no more */
#define DWELL_KERNEL_FRAMES 32

enum dwell_thread_flags {
  DWELL_THREAD_MOVED = 1,        /* it ran while it was looked at: the fields may not fit together */
  DWELL_THREAD_ON_CPU = 2,       /* it runs: its registers are those of its last way into the kernel */
  DWELL_THREAD_NO_REGISTERS = 4, /* a worker of the kernel inside the process, or a thread that has ended */
};

#define DWELL_NO_CALL (~0ull) /* the thread is in no system call */

struct dwell_thread_record {
  __u32 stack_bytes; /* that follow */
  __u32 kernel_frames;
  __u32 tid;        /* as the reader sees it; 0: it is just ending */
  __u32 own_tid;    /* as the thread knows itself, and as locks name their owner */
  __u32 state;      /* TASK_*: 0 is running or ready to run */
  __u32 exit_state; /* not 0: it has ended */
  __u32 task_flags; /* PF_* */
  __u32 flags;      /* dwell_thread_flags */
  __u32 policy;     /* SCHED_* */
  __u32 kernel_tid; /* as maps of the kernel's side know it */
  __u64 time_ns;    /* CLOCK_MONOTONIC of this record */
  __u64 start_ns;   /* CLOCK_MONOTONIC when the thread began */
  __u64 arrival_ns; /* scheduler's clock when it last got a CPU; 0: never, or the kernel keeps no note */
  __u64 slice_ns;   /* how long it then ran; of the fair scheduling classes only */
  __u64 cpu_ns;
  __u64 voluntary, involuntary; /* context switches */
  __u64 ip, sp, bp, ax;
  __u64 call; /* system call it is in, or DWELL_NO_CALL */
  __u64 args[6];
  __u64 thread_pointer; /* for glibc the address of its struct pthread */
  __u64 robust_list;    /* head of the list of robust locks it holds */
  /* The scheduler's clock as the reader's own thread saw it last, for translation: its last arrival. */
  __u64 reader_arrival_ns;
  char name[16];
};

#if defined(__cplusplus)
static_assert(sizeof(struct dwell_thread_record) == 224);
#else
_Static_assert(sizeof(struct dwell_thread_record) == 224, "dwell_thread_record");
#endif

#endif /* DWELL_BPF_THREADS_H */
