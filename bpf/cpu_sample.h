/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a thread was that runs: its registers and the top of its stack, of one moment. Plain C, compiled by
 * both sides. */
#ifndef DWELL_BPF_CPU_SAMPLE_H
#define DWELL_BPF_CPU_SAMPLE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define DWELL_CPU_SAMPLES 16        /* threads at once */
#define DWELL_CPU_WINDOW (8 * 4096) /* bytes of stack: what lies deeper is read later */

enum dwell_cpu_sample_state {
  DWELL_CPU_SAMPLE_NONE = 0,
  DWELL_CPU_SAMPLE_BEGUN,
  DWELL_CPU_SAMPLE_TAKEN,
};

struct dwell_cpu_sample {
  __u32 state; /* dwell_cpu_sample_state */
  __u32 bytes; /* of the window that are filled */
  __u64 ip, sp, bp;
  __u64 call; /* system call it is in, all ones: none */
  char window[DWELL_CPU_WINDOW];
};

/* The same thread time and again: whether it gets anywhere. */
#define DWELL_RUN_STATES 64 /* of a thread */
#define DWELL_RUN_STACK 384 /* bytes of stack that are summed up: below and above the stack pointer */
#define DWELL_RED_ZONE 128  /* of these, below it */

/* By their numbers in instructions: ax, cx, dx, bx, sp, bp, si, di, r8 to r15. */
#define DWELL_REGISTERS 16

struct dwell_run_state {
  __u64 ip, flags;
  __u64 registers[DWELL_REGISTERS];
  __u64 call;  /* system call it is in, all ones: none */
  __u64 stack; /* sum over the stack's bytes, 0: they could not be read */
};

struct dwell_run_states {
  __u32 count;
  __u32 padding;
  struct dwell_run_state states[DWELL_RUN_STATES];
};

#endif /* DWELL_BPF_CPU_SAMPLE_H */
