/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of the maps in which blocked time is summed up: plain C, compiled by both sides. */
#ifndef DWELL_BPF_BLOCKED_H
#define DWELL_BPF_BLOCKED_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

struct dwell_blocked_site {
  __u64 stack; /* identity, 0 if it was lost */
  __u64 process;
};

struct dwell_blocked_thread {
  __u64 since_ns;
  struct dwell_blocked_site site;
};

struct dwell_blocked_time {
  __u64 ns;
  __u64 times;
};

#endif /* DWELL_BPF_BLOCKED_H */
