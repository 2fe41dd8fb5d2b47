/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of the maps that userspace fills before, and reads after: plain C, compiled by both sides. */
#ifndef DWELL_BPF_TRACER_H
#define DWELL_BPF_TRACER_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define DWELL_MAX_PROBES 4096
#define DWELL_HINT_WORDS 16 /* bpf/target_hints.h; of 64 thread groups each */

struct dwell_target {
  __u8 slot;        /* dwell_header.process */
  __u8 shares_mm;   /* a vfork child that has not yet called exec: it works on its parent's memory */
};

struct dwell_block_key {
  __u64 address;
  __u64 process;
};

struct dwell_hits {
  __u64 entries;
  __u64 returns;
};

struct dwell_run_time {
  __u64 runs, ns;
};

#endif /* DWELL_BPF_TRACER_H */
