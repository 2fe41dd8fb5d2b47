/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the thread_registers iterator writes for each thread: plain C, compiled by both sides. */
#ifndef DWELL_BPF_THREAD_REGISTERS_H
#define DWELL_BPF_THREAD_REGISTERS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define DWELL_REGISTERS 15

struct dwell_registers_record {
  __u32 tid;     /* as the reader sees it */
  __u32 running; /* it is on a CPU: these are the registers of its last way into the kernel */
  __u64 sp;
  __u64 words[DWELL_REGISTERS]; /* all general registers but sp */
  __u64 signal_stack; /* that it has given the kernel by sigaltstack; 0: none */
  __u64 thread_pointer;
};

#endif /* DWELL_BPF_THREAD_REGISTERS_H */
