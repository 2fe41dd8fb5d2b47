/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long the programs of one tracer ran for targets: they time themselves. The kernel can time programs too, but does so for
 * all of the machine, whoever they run for, and therefore not always.
 */
#ifndef DWELL_BPF_RUN_TIME_H
#define DWELL_BPF_RUN_TIME_H

#include "bpf/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf/tracer.h"

#define DWELL_LONGEST_RUN_NS 100000 /* a run that took longer was interrupted */

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dwell_run_time);
} run_times SEC(".maps");

/* A run for a target ends that began at `since_ns`. */
static __always_inline void count_run_since(__u64 since_ns) {
  __u32 key = 0;
  struct dwell_run_time *time = bpf_map_lookup_elem(&run_times, &key);
  if (!time) return;
  __u64 ns = bpf_ktime_get_ns() - since_ns;
  ++time->runs;
  time->ns += ns < DWELL_LONGEST_RUN_NS ? ns : DWELL_LONGEST_RUN_NS;
}

#endif /* DWELL_BPF_RUN_TIME_H */
