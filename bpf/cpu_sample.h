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

#endif /* DWELL_BPF_CPU_SAMPLE_H */
